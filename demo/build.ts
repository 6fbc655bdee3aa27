/** The namespace of the demo: objects around a build pod of real kpack, made to fit the bed. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bed } from '../test/bed/bed.ts';
import type { NotaryCli } from '../test/bed/notary-cli.ts';
import {
  buildFixture,
  type BuildFixture,
  type Manifest,
  manifestsOf,
  secret,
  secretData,
} from '../test/support/build-fixture.ts';

/** Name of the Secret with the signing key, as the fixtures have it. */
export const SIGNING_SECRET = 'notary-signing';

/** A Build of the demo. */
export interface DemoBuild {
  readonly fixture: BuildFixture;
  readonly manifests: readonly Manifest[];
  /** What the kubelet would mount. */
  readonly secrets: ReturnType<typeof secretData>;
}

/**
 * A fixture with the bed's Notary server, and the user's signing Secret.
 *
 * @param name the fixture
 * @param signingSecret key file, password, CA
 */
export function demoBuild(
  name: string,
  bed: Bed,
  signingSecret: Readonly<Record<string, string>>,
): DemoBuild {
  const fixture = withNotaryServer(buildFixture(name), bed.notary.url);
  const secrets = [
    ...fixture.secrets.filter(({ metadata }) => metadata.name !== SIGNING_SECRET),
    secret(SIGNING_SECRET, signingSecret),
  ];
  const changed = { ...fixture, secrets };
  return { fixture: changed, manifests: manifestsOf(changed), secrets: secretData(secrets) };
}

/** An Image as a hurried developer may write it. */
export function brokenImage(): Manifest {
  return {
    apiVersion: 'kpack.io/v1alpha1',
    kind: 'Image',
    metadata: { name: 'hurried', namespace: 'apps' },
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

/** The fixture with the bed's server in place of the one that it was made with. */
function withNotaryServer(fixture: BuildFixture, url: string): BuildFixture {
  const text = JSON.stringify(fixture).replaceAll('https://notary.example.com:4443', url);
  return JSON.parse(text) as BuildFixture;
}
