import { join } from 'node:path';
import t from 'tap';
import { manifestCluster } from '../../../../src/shared/kubernetes/manifest-cluster.ts';
import { applyPatch } from '../../../bed/webhook.ts';
import { buildFixture, manifestsOf } from '../../../support/build-fixture.ts';
import { container, SIGNER } from '../../../support/pod.ts';
import { review, serve } from '../../../support/served.ts';

t.test('a directory of manifests serves what a cluster would', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const manifests = manifestsOf(given);
  const yaml = (objects: readonly object[]) =>
    objects.map((it) => JSON.stringify(it)).join('\n---\n');
  const layouts: Record<string, Record<string, string>> = {
    'one file': { 'all.yaml': yaml(manifests) },
    'a list': { 'all.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }) },
    'with others beside': {
      'a.yml': `---\n---\n# nothing\n`,
      'b.yaml': `apiVersion: v1\nkind: Namespace\nmetadata:\n---\n5\n---\nkind: Build\nmetadata:\n`,
      'c.yaml': yaml(manifests),
      'notes.txt': 'not: [yaml',
    },
  };
  for (const [what, files] of Object.entries(layouts)) {
    await t.test(what, async (t) => {
      const directory = t.testdir(files);
      const cluster = manifestCluster(directory);
      const { app } = serve(t, cluster);
      const response = await review(t, app, 'mutate', { object: given.pod });
      t.ok(response.patch);
      const found = await cluster.get({
        apiVersion: 'v1',
        kind: 'Secret',
        namespace: 'apps',
        name: 'notary-signing',
      });
      t.same(Object.keys(found ?? {}), ['metadata'], 'of Secrets the metadata alone');
      for (const reference of [
        { apiVersion: 'v1', kind: 'Secret', namespace: 'other', name: 'notary-signing' },
        { apiVersion: 'v1', kind: 'Secret', namespace: 'apps', name: 'other' },
        {
          apiVersion: 'kpack.io.example.com/v1',
          kind: 'Build',
          namespace: 'apps',
          name: 'app-build-1',
        },
      ] as const) {
        t.equal(await cluster.get(reference), undefined);
      }
    });
  }
  const { app } = serve(t, manifestCluster(join(t.testdir(), 'missing')));
  const response = await review(t, app, 'mutate', { object: given.pod });
  t.match(response.status?.message, /CLUSTER_UNAVAILABLE: .*missing cannot be read/);
});

t.test('a directory of manifests tells what LimitRanges demand', async (t) => {
  const given = buildFixture('v0.17.2/07b-standard-containers-notary');
  const range = (namespace?: string, cpu: unknown = '200m') => ({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'x', ...(namespace !== undefined && { namespace }) },
    spec: { limits: [{ type: 'Container', min: { cpu } }] },
  });
  const others = [range(), range('other'), { ...range('apps'), apiVersion: 'example.com/v1' }];
  for (const [ranges, cpu] of [
    [others, '100m'],
    [[...others, range('apps')], '200m'],
    [[range('apps', 2)], '2'],
  ] as const) {
    const items = [...manifestsOf(given), ...ranges];
    const directory = t.testdir({ 'all.json': JSON.stringify({ kind: 'List', items }) });
    const { app } = serve(t, manifestCluster(directory));
    const response = await review(t, app, 'mutate', { object: given.pod });
    const { resources } = container(applyPatch(given.pod, response), SIGNER);
    t.equal(resources?.requests?.['cpu'], cpu);
  }
});
