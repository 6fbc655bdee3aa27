/** What our account may do, in the words of a real API server and of docs/reference/permissions.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startKubeApiserver } from '../bed/kube-apiserver.ts';
import { demand } from '../bed/kube-client.ts';
import { needKubernetes } from '../bed/kubernetes-programs.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { makeNamespace, prepareCluster } from '../support/kubernetes-setup.ts';
import {
  customization,
  deployDirectory,
  deployedObjects,
  type Component,
  type ManifestObject,
} from './manifests.ts';
import { accountName, grantedVerbs, permissionsOf, type Permission } from './permissions.ts';

needKubernetes(t);
const apiserver = await startKubeApiserver();
t.teardown(() => apiserver.stop());
const { admin: api } = apiserver;
await prepareCluster(api);
for (const name of ['opted-in', 'other']) await makeNamespace(api, name);

const OURS = accountName('kpack-notary', 'kpack-notary-webhook');
/** An account that nobody has given anything. */
const NOBODY = accountName('kpack-notary', 'default');
const NAMESPACES = ['kpack-notary', 'opted-in', 'other'];

/** How long the API server takes to hear of what was applied, at most, in milliseconds. */
const PATIENCE = 10_000;
/** Some five thousand questions. */
const MATRIX_LIMIT = 180_000;

const page = readFileSync(join(projectDirectory(), 'docs/reference/permissions.md'), 'utf8');
const asItIs = blockOf('As it is');
const byNamespace = blockOf('With components/namespace-permissions');
const notWithFiles = blockOf('With components/certificate-files or components/cert-manager');
const without = (list: readonly string[], gone: readonly string[]) =>
  list.filter((line) => !gone.includes(line));

// In this order: each takes rights away, or gives some, where the one before is in force.
const ways: readonly (readonly [components: readonly Component[], expected: readonly string[]])[] =
  [
    [[], asItIs],
    [['namespace-permissions'], byNamespace],
    [['cert-manager', 'namespace-permissions'], without(byNamespace, notWithFiles)],
    [['certificate-files'], without(asItIs, notWithFiles)],
    [['network-policy', 'alerts'], asItIs],
  ];

for (const [components, expected] of ways) {
  const what = components.length === 0 ? 'nothing' : components.join(' and ');
  t.test(`with ${what} added, our account may do what the page says`, async (t) => {
    t.ok(expected.length > 0);
    const directory = await customization(t.testdir(), components);
    await grant(await deployedObjects(directory));
    t.same(await permissionsOnce(expected), expected);
  });
}

t.test(
  'of all that the API server serves, by every verb, it is granted nothing else',
  { timeout: MATRIX_LIMIT },
  async (t) => {
    await grant(await deployedObjects(deployDirectory()));
    t.same(await permissionsOnce(asItIs), asItIs);
    const names = ['serviceaccounts', 'serviceaccounts:kpack-notary', 'authenticated'];
    const groups = names.map((name) => `system:${name}`);
    for (const namespace of ['kpack-notary', 'other']) {
      const ours = await grantedVerbs(api, OURS, groups, namespace);
      const all = await permissionsOf(api, NOBODY, namespace);
      const unnamed = asItIs.flatMap((line) => {
        const [where = '', permission = ''] = line.split(': ');
        const isOfAllNames = !permission.includes('/');
        return isOfAllNames && ['everywhere', namespace].includes(where) ? [permission] : [];
      });
      t.same([...ours].filter((permission) => !all.has(permission)).sort(), unnamed.sort());
    }
  },
);

t.test('the RoleBinding for an opted-in namespace grants its Secrets, and no others', async (t) => {
  const directory = await customization(t.testdir(), ['namespace-permissions']);
  await grant(await deployedObjects(directory));
  const binding = await deployedObjects(join(deployDirectory(), 'opted-in-namespace'));
  for (const object of binding) {
    t.equal(object.metadata.namespace, undefined, 'it goes where it is applied');
    const metadata = { ...object.metadata, namespace: 'opted-in' };
    demand(await api.apply({ ...object, metadata }));
  }
  const expected = [...byNamespace, 'opted-in: get secrets'].sort(inOrder);
  t.same(await permissionsOnce(expected), expected);
});

/** Applies what has to do with rights. */
async function grant(objects: readonly ManifestObject[]): Promise<void> {
  for (const object of objects) {
    if (/^(ServiceAccount|(Cluster)?Role(Binding)?)$/.test(object.kind)) {
      demand(await api.apply(object));
    }
  }
}

/** What our account may do as soon as it is as expected; else what it may do in the end. */
async function permissionsOnce(expected: readonly string[]): Promise<readonly string[]> {
  const overtime = AbortSignal.timeout(PATIENCE);
  for (;;) {
    const found = await allPermissions();
    if (found.join() === expected.join() || overtime.aborted) return found;
    await pause(50);
  }
}

/** What our account may do beyond what all may, as the page has it. */
async function allPermissions(): Promise<readonly string[]> {
  const found = await Promise.all(
    NAMESPACES.map(async (namespace): Promise<readonly [string, ReadonlySet<Permission>]> => {
      const ours = await permissionsOf(api, OURS, namespace);
      const all = await permissionsOf(api, NOBODY, namespace);
      return [namespace, new Set([...ours].filter((permission) => !all.has(permission)))];
    }),
  );
  const everywhere = [...(found[0]?.[1] ?? [])].filter((permission) =>
    found.every(([, permissions]) => permissions.has(permission)),
  );
  const somewhere = found.flatMap(([namespace, permissions]) =>
    [...permissions]
      .filter((permission) => !everywhere.includes(permission))
      .map((permission) => `${namespace}: ${permission}`),
  );
  const lines = [...somewhere, ...everywhere.map((permission) => `everywhere: ${permission}`)];
  return lines.sort(inOrder);
}

/** Ours first, as the page has them. */
function inOrder(a: string, b: string): number {
  const isEverywhere = (line: string) => Number(line.startsWith('everywhere: '));
  return isEverywhere(a) - isEverywhere(b) || (a < b ? -1 : 1);
}

/** The lines of the first list under a heading. */
function blockOf(heading: string): readonly string[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const [, block = ''] = /^```\n([^`]*)^```$/m.exec(section) ?? [];
  return block.trim().split('\n');
}
