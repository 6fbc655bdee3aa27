/** The tutorial, from "Install" on, typed as it stands there; the test plays kpack. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { succeed } from '../bed/command.ts';
import { searchPath } from '../bed/installed.ts';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import type { BuildFixture, Manifest, PodManifest } from '../support/build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { atBed, runBuild, tagsOf, type EndedBuild } from './build.ts';
import { VERSION } from '../../src/shared/version.ts';
import { commandsOf } from './page.ts';
import { owner, type Environment } from './environment.ts';
import { signed } from './check-signing.ts';
import type { Report } from './report.ts';
import { until } from './until.ts';

const PAGE = 'tutorial/first-signed-image.md';
const NAMESPACE = 'apps';
/** A build with one Secret for the registry; the tutorial has another name for it. */
const FIXTURE = 'v0.17.2/04b-dockerconfig-only';
const FIXTURE_SECRET = 'dockerconfig';
const SECRET = 'registry-credentials';
const IMAGE: KubeReference = {
  apiVersion: 'kpack.io/v1alpha2',
  kind: 'Image',
  metadata: { namespace: NAMESPACE, name: 'app' },
};

/** Somebody's shell, in a clone of this project. */
export interface Shell {
  /** @throws Error with all output where a command fails */
  run(commands: string): Promise<string>;
}

/** A shell as "Before you begin" asks for it. */
export async function tutorialShell(environment: Environment): Promise<Shell> {
  const { cluster, notary, authority, registries } = environment;
  const directory = join(cluster.directory, 'clone');
  await mkdir(directory, { recursive: true });
  await cp(join(projectDirectory(), 'deploy'), join(directory, 'deploy'), { recursive: true });
  await writeFile(join(directory, 'ca.crt'), authority.certificatePem);
  const tls = join(directory, '.docker/tls', notary.host);
  await mkdir(tls, { recursive: true });
  await writeFile(join(tls, 'ca.crt'), authority.certificatePem);
  const passphrase = 'canary-tutorial-passphrase';
  const env = {
    PATH: `${dirname(cluster.programs.kubectl)}:${searchPath()}`,
    KUBECONFIG: cluster.kubeconfig,
    IMAGE: `${registries[0].host}/team/app`,
    BUILDER: 'default',
    WEBHOOK_IMAGE: 'localhost/kpack-notary/webhook',
    SIGNER_IMAGE: 'localhost/kpack-notary/signer',
    VERSION,
    // What `docker login` believes, where no engine asks for it.
    SSL_CERT_FILE: join(directory, 'ca.crt'),
    REGISTRY_USER: owner.username,
    REGISTRY_PASSWORD: owner.password,
    NOTARY_USER: environment.robot.username,
    NOTARY_PASSWORD: environment.robot.password,
    DOCKER_CONTENT_TRUST_SERVER: notary.url,
    DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: passphrase,
    DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: passphrase,
  };
  return {
    run: (commands) =>
      succeed({
        program: 'bash',
        args: ['-euo', 'pipefail', '-c', commands],
        directory,
        env,
        timeLimit: 600_000,
      }),
  };
}

export async function checkTutorial(
  environment: Environment,
  report: Report,
  shell: Shell,
): Promise<void> {
  report.section(`docs/${PAGE}`);
  const begin = performance.now();
  const type = (heading: string) => shell.run(commandsOf(PAGE, heading));
  for (const heading of ['Install', 'A key for the build', 'Opt in']) {
    await report.check(heading, async () => {
      await type(heading);
      return 'done';
    });
  }
  await report.check(
    'An Image',
    async () => {
      // What is typed waits for what kpack does meanwhile.
      const [told, build] = await Promise.all([type('An Image'), playKpack(environment)]);
      if (!/^Image apps\/app: would be signed/m.test(told))
        throw new Error(`explain says: ${told}`);
      return signed(environment, build);
    },
    NAMESPACE,
  );
  await report.check('See it signed', async () => {
    const told = await type('See it signed');
    const signers = told.split('\n').filter((line) => /^latest\s/.test(line));
    if (!signers.some((line) => line.includes('builder'))) throw new Error(told);
    const minutes = ((performance.now() - begin) / 60_000).toFixed(1);
    return `docker trust inspect names "builder"; ${minutes} minutes from "Install"`;
  });
}

/** What kpack does for the Image of the tutorial: a Build, its pod, and the Image's condition. */
async function playKpack(environment: Environment): Promise<EndedBuild> {
  const { api } = environment.cluster;
  const as = { as: KPACK_USER };
  const image = await until('the Image', async () => (await api.get<Manifest>(IMAGE)).object);
  const fixture = atBed(environment, { fixture: FIXTURE, name: 'app' });
  const text = JSON.stringify(fixture).replaceAll(FIXTURE_SECRET, SECRET);
  const { build, pod } = JSON.parse(text) as BuildFixture;
  const stored = demand(await api.create(owned(build, image), as));
  const ended = await runBuild(environment, { pod: owned(pod, stored), tags: tagsOf(stored) });
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  demand(await api.patch(IMAGE, { status }, { ...as, subresource: 'status' }));
  return ended;
}

/** Made by kpack for its owner, with the annotations that the owner has. */
function owned<T extends Manifest | PodManifest>(object: T, by: Manifest): T {
  const copy = structuredClone(object);
  const { annotations = {} } = copy.metadata;
  const { name, labels } = copy.metadata;
  const { apiVersion, kind, metadata } = by;
  const reference = { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '' };
  Object.assign(copy, {
    metadata: {
      name,
      namespace: NAMESPACE,
      labels,
      annotations: { ...metadata.annotations, ...annotations },
      ownerReferences: [{ ...reference, controller: true, blockOwnerDeletion: true }],
    },
  });
  return copy;
}
