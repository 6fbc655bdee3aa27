/** Namespaces with LimitRanges: what is admitted unsigned is admitted signed. */
import t from 'tap';
import { demand } from '../bed/kube-client.ts';
import { buildFixture } from '../support/build-fixture.ts';
import { effectiveRequest } from './support/effective-request.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import {
  asking,
  isSigned,
  letAsk,
  makeTwins,
  postBoth,
  SHAPES,
  storeBoth,
  tryBoth,
  type Rule,
} from './support/kubernetes-twins.ts';
import { allContainers, container, SIGNER } from '../support/pod.ts';

const cluster = await startTestCluster(t);

const INIT = 'v0.17.2/02b-notary-registry-secrets';
const WAITING = 'v0.17.2/07b-standard-containers-notary';

const FLAGS = { cpu: '100m', memory: '128Mi' };
const ABOVE = { cpu: '200m', memory: '256Mi' };
const STEP = { cpu: '500m', memory: '1Gi' };
const MUCH = { cpu: '1', memory: '2Gi' };
const ROOM = { cpu: '40', memory: '80Gi' };
const RATIO = { cpu: '2', memory: '2' };

/** What each step of a build says. */
const STEPS = [
  {},
  { requests: STEP },
  { limits: STEP },
  { requests: STEP, limits: MUCH },
  { requests: { cpu: '20m', memory: '32Mi' }, limits: { cpu: '40m', memory: '48Mi' } },
  { requests: { cpu: '20m', memory: '64Mi' }, limits: MUCH },
  { requests: { cpu: '60m', memory: '72Mi' }, limits: FLAGS },
  { requests: { cpu: '220m', memory: '1Gi' }, limits: { cpu: '220m', memory: '1Gi' } },
];

const range = (...limits: readonly object[]): Rule => ({ kind: 'LimitRange', spec: { limits } });

t.test('a LimitRange admits signed what it admits unsigned', async (t) => {
  const type = 'Container';
  const defaults = { default: MUCH, defaultRequest: STEP };
  const storage = 'ephemeral-storage';
  const ranges: Record<string, readonly [admitted: number, ...Rule[]]> = {
    'a least amount above the flags': [25, range({ type, min: ABOVE })],
    'a largest amount below the flags': [10, range({ type, max: { cpu: '60m', memory: '64Mi' } })],
    'a ratio alone': [25, range({ type, maxLimitRequestRatio: RATIO })],
    defaults: [40, range({ type, ...defaults, min: { cpu: '10m', memory: '10Mi' } })],
    'all of it': [
      25,
      range({ type, ...defaults, min: ABOVE, max: MUCH, maxLimitRequestRatio: RATIO }),
    ],
    'several, for containers and pods': [
      22,
      range({ type, min: { cpu: '150m' } }),
      range({ type, min: { memory: '256Mi' } }, { type: 'Pod', min: { memory: '300Mi' } }),
    ],
    'amounts of something else': [
      40,
      range({ type, min: { [storage]: '1Gi', cpu: '2m' }, max: { [storage]: '2Gi' } }),
    ],
    'a least amount for pods': [16, range({ type: 'Pod', min: { cpu: '450m', memory: '900Mi' } })],
    'a least amount for both': [25, range({ type, min: ABOVE }, { type: 'Pod', min: ABOVE })],
    'a largest amount for pods': [30, range({ type: 'Pod', max: ROOM })],
    'a ratio for pods': [25, range({ type: 'Pod', maxLimitRequestRatio: RATIO })],
    'a ratio for pods, among defaults': [
      35,
      range({ type, ...defaults }, { type: 'Pod', max: ROOM, maxLimitRequestRatio: RATIO }),
    ],
  };
  for (const [at, [what, [expected, ...rules]]] of Object.entries(ranges).entries()) {
    const name = `range-${at}`;
    await makeTwins(cluster, name, { rules });
    let admitted = 0;
    for (const shape of SHAPES) {
      const pods = await storeBoth(cluster, buildFixture(shape), name);
      for (const step of STEPS) {
        letAsk(pods.signed, step);
        letAsk(pods.unsigned, step);
        const { signed, unsigned } = await postBoth(cluster, pods, { dryRun: true });
        if (!unsigned.ok) continue;
        isSigned(t, signed, `${what}: ${shape} ${JSON.stringify(step)}`);
        admitted += 1;
      }
    }
    t.equal(admitted, expected, `${what}: of ${SHAPES.length * STEPS.length}`);
  }
});

t.test('the least amount of a namespace is asked for where the flags are below it', async (t) => {
  const name = 'least';
  await makeTwins(cluster, name, { rules: [range({ type: 'Container', min: ABOVE })] });
  const pods = await storeBoth(cluster, asking(WAITING, { requests: STEP }), name);
  const { signed } = await postBoth(cluster, pods, { dryRun: false });
  const { resources } = container(isSigned(t, signed, 'stored'), SIGNER);
  t.same(resources, { requests: ABOVE, limits: { memory: ABOVE.memory } });
});

t.test('limits of a pod stay within its ratio, whatever the step before ours has', async (t) => {
  await makeTwins(cluster, 'ratio', {
    rules: [range({ type: 'Pod', maxLimitRequestRatio: RATIO })],
  });
  for (const shape of SHAPES) {
    const limits = { cpu: '900m', memory: '1900Mi' };
    const fixture = asking(shape, { requests: STEP, limits });
    for (const each of allContainers(fixture.pod)) {
      if (!/^(?:export|rebase)$/.test(each.name)) continue;
      each.resources = { requests: { cpu: '20m', memory: '32Mi' }, limits: FLAGS };
    }
    const { signed, unsigned } = await tryBoth(cluster, fixture, 'ratio');
    demand(unsigned);
    isSigned(t, signed, shape);
  }
});

t.test('where amounts add up, a largest amount for pods needs room for the flags', async (t) => {
  const fixture = asking(WAITING, { requests: STEP, limits: STEP });
  const millis = Math.round(effectiveRequest(fixture.pod, 'cpu') * 1000) + 100;
  for (const [name, cpu] of [
    ['room', millis],
    ['no-room', millis - 1],
  ] as const) {
    await makeTwins(cluster, name, { rules: [range({ type: 'Pod', max: { cpu: `${cpu}m` } })] });
    const pods = await storeBoth(cluster, fixture, name);
    const { signed, unsigned } = await postBoth(cluster, pods, { dryRun: false });
    demand(unsigned);
    if (name === 'room') isSigned(t, signed, name);
    else t.match(signed.failure, { code: 403, message: 'maximum cpu usage per Pod' });
  }
});

t.test('among init containers, what the step does not state may be refused of pods', async (t) => {
  const little = { cpu: '50m', memory: '64Mi' };
  const cases = [
    ['max', { max: little }, { requests: little, limits: little }, /maximum \w+ usage per Pod/],
    ['min', { min: STEP }, { requests: STEP }, /minimum \w+ usage per Pod .* but limit is/],
  ] as const;
  for (const [what, bounds, others, message] of cases) {
    const name = `unstated-${what}`;
    await makeTwins(cluster, name, { rules: [range({ type: 'Pod', ...bounds })] });
    const fixture = asking(INIT, others);
    container(fixture.pod, 'export').resources = {};
    const { signed, unsigned } = await tryBoth(cluster, fixture, name);
    demand(unsigned);
    t.match(signed.failure, { code: 403, message });
    letAsk(fixture.pod, others);
    isSigned(t, (await tryBoth(cluster, fixture, name)).signed, `${what}: stated`);
  }
});
