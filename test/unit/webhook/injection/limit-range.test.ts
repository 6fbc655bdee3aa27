import t from 'tap';
import type { ListedObject } from '../../../../src/shared/kubernetes/cluster.ts';
import { explain } from '../../../../src/webhook/explain/explain.ts';
import { applyPatch, KPACK_USER } from '../../../bed/webhook.ts';
import {
  buildFixture,
  type BuildFixture,
  type Manifest,
  manifestsOf,
} from '../../../support/build-fixture.ts';
import { ask, unreadable, memoryCluster, verdictOf } from '../../../support/asking.ts';
import { container, SIGNER, type Container } from '../../../support/pod.ts';

const WAITING = 'v0.17.2/07b-standard-containers-notary';
const FLAGS = { cpu: '100m', memory: '128Mi' };
const STEP = { cpu: '500m', memory: '1Gi' };

type Resources = Container['resources'];

function limitRange(limits: unknown, namespace = 'apps'): Manifest {
  const metadata = { name: 'range', namespace };
  return { apiVersion: 'v1', kind: 'LimitRange', metadata, spec: { limits } };
}

function clusterOf(given: BuildFixture, ranges: readonly Manifest[] = []) {
  return memoryCluster([...manifestsOf(given), ...ranges]);
}

/** What the signing container states where `export` states something, or nothing. */
async function statedAmong(
  ranges: readonly Manifest[],
  step: NonNullable<Resources> = {},
  name = WAITING,
): Promise<Resources> {
  const given = buildFixture(name);
  container(given.pod, 'export').resources = step;
  const response = await ask('mutate', given.pod, clusterOf(given, ranges));
  return container(applyPatch(given.pod, response), SIGNER).resources;
}

t.test('the least amount of a container counts where the flags are below it', async (t) => {
  const range = limitRange([{ type: 'Container', min: { cpu: '0.2', memory: '64Mi' } }]);
  const least = { cpu: '0.2', memory: '128Mi' };
  const { memory } = least;
  for (const [step, requests, limits] of [
    [{}, least, { memory }],
    [{ requests: STEP }, least, { memory }],
    [{ requests: STEP, limits: STEP }, least, least],
    [{ requests: { cpu: '200m' }, limits: { cpu: '4' } }, least, least],
    [{ requests: { cpu: '50m', memory: '32Mi' } }, { cpu: '50m', memory: '32Mi' }, { memory }],
  ] as const) {
    const stated = await statedAmong([range], step);
    t.same(stated, { requests, limits }, JSON.stringify(step));
  }
});

t.test('of several LimitRanges, all hold', async (t) => {
  const ranges = [
    limitRange([{ type: 'Container', min: { cpu: '150m' } }]),
    limitRange([
      { type: 'PersistentVolumeClaim', min: { storage: '1Gi' } },
      { type: 'Container', min: { cpu: '300m', memory: '200Mi' } },
    ]),
    limitRange([{ type: 'Container', min: { cpu: '200m' } }]),
    limitRange([{ type: 'Container', min: { cpu: '400m' } }], 'elsewhere'),
  ];
  const least = { cpu: '300m', memory: '200Mi' };
  const step = { requests: STEP, limits: STEP };
  t.same(await statedAmong(ranges, step), { requests: least, limits: least });
});

t.test('where pods are bounded, ours adds no limit that the step has not', async (t) => {
  for (const bound of ['min', 'max', 'maxLimitRequestRatio']) {
    const range = limitRange([{ type: 'Pod', [bound]: { memory: '4' } }]);
    t.same(await statedAmong([range], { requests: STEP }), { requests: FLAGS, limits: {} }, bound);
    t.same(
      await statedAmong([range], { requests: STEP, limits: STEP }),
      { requests: FLAGS, limits: FLAGS },
      bound,
    );
  }
});

t.test('where pods have a ratio, ours keeps it: what is above it is asked for whole', async (t) => {
  const ratio = (cpu: unknown) => limitRange([{ type: 'Pod', maxLimitRequestRatio: { cpu } }]);
  const step = { requests: { cpu: '50m' }, limits: { cpu: '1' } };
  for (const [range, request] of [
    [[ratio('2')], '50m'],
    [[ratio(1.5)], '100m'],
    [[ratio('1500m'), ratio('3')], '100m'],
  ] as const) {
    const stated = await statedAmong(range, step);
    t.match(stated, { requests: { cpu: request }, limits: { cpu: '100m' } });
  }
});

t.test('what is no LimitRange as the API serves it says nothing', async (t) => {
  for (const limits of [
    undefined,
    null,
    'x',
    [],
    [null, 5, 'x', []],
    [{ type: 'Container' }, { min: { cpu: '4' } }, { type: 'example.com/x', min: { cpu: '4' } }],
    [{ type: 'Container', min: null }],
    [{ type: 'Container', min: { cpu: 'x', memory: {} } }],
    [{ type: 'Container', min: 'x' }],
  ]) {
    const stated = await statedAmong([limitRange(limits)], { requests: STEP });
    t.same(stated, { requests: FLAGS, limits: { memory: '128Mi' } }, JSON.stringify(limits));
  }
});

t.test('among init containers ours takes what the step states, whatever is least', async (t) => {
  const range = limitRange([{ type: 'Container', min: { cpu: '200m', memory: '256Mi' } }]);
  const step = { requests: STEP, limits: STEP };
  t.same(await statedAmong([range], step, 'v0.17.2/02-notary'), step);
});

t.test('a LimitRange that comes between our two calls refuses nothing', async (t) => {
  const given = buildFixture(WAITING);
  const response = await ask('mutate', given.pod, clusterOf(given));
  const pod = applyPatch(given.pod, response);
  const later = clusterOf(given, [
    limitRange([
      { type: 'Container', min: STEP },
      { type: 'Pod', min: STEP },
    ]),
  ]);
  t.equal(verdictOf(await ask('mutate', pod, later)), 'allowed');
  t.equal(verdictOf(await ask('validate', pod, later)), 'allowed');
});

t.test('explain reads them as the webhook does', async (t) => {
  const given = buildFixture(WAITING);
  const range = limitRange([{ type: 'Container', min: { cpu: '200m' } }]);
  const cluster = clusterOf(given, [range]);
  const settings = { signerImage: undefined, kpackUsers: [KPACK_USER], namespace: 'apps' } as const;
  const pod = given.pod as unknown as ListedObject;
  t.match(await explain(pod, cluster, settings), { outcome: 'signed', code: 'INJECTED' });
  t.match(await explain(pod, unreadable(cluster, 'LimitRange'), settings), {
    outcome: 'unknown',
    code: 'CLUSTER_UNAVAILABLE',
    fix: 'Mend the LimitRange.',
  });
});
