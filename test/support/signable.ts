/** The fixtures that can be signed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildFixture, type BuildFixture, signingNamespace, URL } from './build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { allContainers } from './pod.ts';

/** Every fixture that has a pod. */
function fixtureNames(): string[] {
  const directory = join(projectDirectory(), 'test/fixtures/pods');
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('pod.json'))
    .map((file) => file.replace(/\/pod\.json$/, ''))
    .sort();
}

/** Those of the kpack.io group. */
export const kpackFixtures = fixtureNames().filter((name) => {
  const { pod } = buildFixture(name);
  return (
    pod.metadata.labels?.['kpack.io/build'] !== undefined &&
    (pod.metadata.ownerReferences ?? []).every(({ apiVersion }) =>
      apiVersion.startsWith('kpack.io/'),
    )
  );
});

export const isWindows = (name: string) =>
  buildFixture(name).pod.spec.nodeSelector?.['kubernetes.io/os'] === 'windows';

/** Their names: kpack.io, Linux. */
export const signableFixtures = kpackFixtures.filter(
  (name) =>
    allContainers(buildFixture(name).pod).some(
      ({ name }) => name === 'export' || name === 'rebase',
    ) && !isWindows(name),
);

export const hasSection = (name: string) => buildFixture(name).build.spec['notary'] !== undefined;

const BY_NAMESPACE = {
  'notary.kpack.io/v1.url': URL,
  'notary.kpack.io/v1.secretRef': 'notary-signing',
};

/** The fixture where it is to be signed: where neither Image nor Build asks, the admin does. */
export function signableBuild(name: string): BuildFixture {
  return buildFixture(name, signingNamespace('enabled', hasSection(name) ? {} : BY_NAMESPACE));
}

/** Whether the steps of a fixture are standard containers that wait for one another. */
export const isWaiting = (name: string) => name.includes('standard-containers');
