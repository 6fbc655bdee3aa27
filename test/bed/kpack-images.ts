/** Images in place of those that kpack's build pods name, for a node: all of one script. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { projectDirectory } from './project-directory.ts';
import type { Authority } from './authority.ts';
import { succeed } from './command.ts';
import { makeImageArchive, nodeFiles } from './image-archive.ts';

const LIFECYCLE = ['analyzer', 'detector', 'restorer', 'builder', 'exporter'];
/** kpack's own; a pod that names no command starts what its image starts. */
const KPACK = ['build-init', 'rebase', 'completion', 'build-waiter'];
const IMAGES = [...KPACK, 'builder'];
const SCRIPT = '/kpack-step.cjs';
const CA_FILE = '/etc/ssl/registry-ca.crt';

function nameOf(image: string): string {
  return `localhost/kpack/${image}:bed`;
}

/**
 * Makes an archive of images that stand in for kpack's.
 *
 * @param directory where it goes, and what is needed meanwhile; exists
 * @param registryAuthority whose certificates the registry shows that they push to
 * @returns the archive
 * @throws Error when the script cannot be bundled, or as {@link makeImageArchive}
 */
export async function makeKpackImages(
  directory: string,
  registryAuthority: Pick<Authority, 'certificatePem'>,
): Promise<string> {
  const project = projectDirectory();
  const script = join(directory, 'kpack-step.cjs');
  const source = join(project, 'test/bed/kpack-step-main.ts');
  const args = [join(project, 'bundle.mjs'), source, script];
  await succeed({ program: process.execPath, args, directory: project });
  const ca = join(directory, 'registry-ca.crt');
  await writeFile(ca, registryAuthority.certificatePem);
  const archive = join(directory, 'kpack-images.tar');
  const places = [
    ...LIFECYCLE.map((step) => `/cnb/lifecycle/${step}`),
    ...KPACK.map((step) => `/cnb/process/${step}`),
  ];
  await makeImageArchive({
    archive,
    entrypoints: Object.fromEntries(
      IMAGES.map((image) => [nameOf(image), [`/cnb/process/${image}`]]),
    ),
    files: {
      ...(await nodeFiles(directory)),
      [SCRIPT]: { from: script },
      [CA_FILE]: { from: ca },
      ...Object.fromEntries(places.map((place) => [place, { to: SCRIPT }])),
    },
    writable: ['/tmp', '/workspace'],
    environment: { NODE_EXTRA_CA_CERTS: CA_FILE },
    user: '1000:1000',
  });
  return archive;
}

/**
 * Changes a build pod as kpack posts it so that a node of the bed can run it: other images, and a
 * directory in place of a cache that is a volume claim.
 */
export function runnable(spec: V1PodSpec): void {
  const containers: V1Container[] = [...(spec.initContainers ?? []), ...spec.containers];
  for (const container of containers) {
    const [, image = ''] = /\/([^/@:]+)@/.exec(container.image ?? '') ?? [];
    container.image = nameOf(IMAGES.includes(image) ? image : 'builder');
  }
  for (const volume of spec.volumes ?? []) {
    if (volume.persistentVolumeClaim === undefined) continue;
    delete volume.persistentVolumeClaim;
    volume.emptyDir = {};
  }
}
