/** The namespace of the demo: objects around a build pod of real kpack, made to fit the bed. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bed } from '../test/bed/bed.ts';
import type { NotaryCli } from '../test/bed/notary-cli.ts';
import { ANNOTATION } from '../src/shared/names.ts';
import {
  buildFixture,
  type BuildFixture,
  type Manifest,
  manifestsOf,
  secret,
  secretData,
  signingNamespace,
} from '../test/support/build-fixture.ts';

/** Name of the Secret with the Notary v1 key, as the fixtures have it. */
export const SIGNING_SECRET = 'notary-signing';
/** Name of the Secret with the key for Notary Project signatures, which the Namespace names. */
export const V2_SECRET = 'image-signing';

/** A Build of the demo. */
export interface DemoBuild {
  readonly fixture: BuildFixture;
  readonly manifests: readonly Manifest[];
  /** What the kubelet would mount. */
  readonly secrets: ReturnType<typeof secretData>;
}

/**
 * A fixture with the bed's Notary server and registry, in a Namespace that asks for Notary Project
 * signatures as well.
 *
 * @param name the fixture
 * @param signing the user's signing Secrets, by name
 */
export function demoBuild(
  name: string,
  bed: Bed,
  signing: Readonly<Record<string, Readonly<Record<string, string>>>>,
): DemoBuild {
  const namespace = signingNamespace('enabled', { [ANNOTATION.v2SecretRef]: V2_SECRET });
  const fixture = atBed(buildFixture(name, namespace), bed);
  const secrets = [
    ...fixture.secrets.filter(({ metadata }) => metadata.name !== SIGNING_SECRET),
    ...Object.entries(signing).map(([name, files]) => secret(name, files)),
  ];
  const changed = { ...fixture, secrets };
  return { fixture: changed, manifests: manifestsOf(changed), secrets: secretData(secrets) };
}

/** An Image as a hurried developer may write it. */
export function brokenImage(): Manifest {
  return {
    apiVersion: 'kpack.io/v1alpha1',
    kind: 'Image',
    metadata: {
      name: 'hurried',
      namespace: 'apps',
      annotations: { 'notary.kpack.io/v2.secretref': V2_SECRET },
    },
    spec: {
      tag: 'registry.example.com/team/hurried',
      notary: { v1: { url: 'notary.example.com', secretref: 'apps/notary-signing' } },
    },
  };
}

/** The key file that `notary init` wrote for the targets role: what a user puts into the Secret. */
export async function targetsKeyFile(cli: NotaryCli): Promise<Record<string, string>> {
  for (const name of await readdir(cli.privateKeyDirectory)) {
    const text = await readFile(join(cli.privateKeyDirectory, name), 'utf8');
    if (/^role: targets$/m.test(text)) return { [name]: text };
  }
  throw new Error('notary init left no targets key');
}

/** The fixture with the bed's servers in place of those that it was made with. */
function atBed(fixture: BuildFixture, { notary, registry }: Bed): BuildFixture {
  const text = JSON.stringify(fixture)
    .replaceAll('https://notary.example.com:4443', notary.url)
    .replaceAll('registry.example.com', registry.host);
  return JSON.parse(text) as BuildFixture;
}
