/** Namespaces with rules of their own for pods: what is admitted unsigned is admitted signed. */
import t, { type Test } from 'tap';
import { demand, type KubeAnswer } from '../bed/kube-client.ts';
import { buildFixture, type BuildFixture, type PodManifest } from '../build-fixture.ts';
import { effectiveRequest } from './effective-request.ts';
import { startScene } from './kubernetes-scene.ts';
import { allContainers, container, SIGNER } from './pod.ts';
import { until } from './program.ts';
import { isWaiting, signableFixtures } from './signable.ts';
import { ADMIN } from './world.ts';

const scene = await startScene(t);
const { api } = scene;

const SHAPES = [
  'v0.17.2/02b-notary-registry-secrets',
  'v0.17.2/05b-rebase-notary',
  'v0.17.2/07b-standard-containers-notary',
  'v0.17.2/07c-standard-containers-rebase',
  'v0.17.2/10-everything',
];
const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' };
/** What the flags of the webhook say where nobody sets them: CPUs and bytes. */
const FLAGS = { cpu: 0.1, memory: 128 * 2 ** 20 };
const RESOURCES = ['cpu', 'memory'] as const;

/** Two namespaces with the same rules; only in the first are pods signed. */
async function twins(
  name: string,
  { labels = {}, rules = [] }: { labels?: Record<string, string>; rules?: readonly Rule[] } = {},
): Promise<void> {
  const signing = { 'notary.kpack.io/signing': 'enabled' };
  await scene.namespace(name, { labels: { ...labels, ...signing }, annotations: ADMIN });
  await scene.namespace(`${name}-unsigned`, { labels });
  for (const namespace of [name, `${name}-unsigned`]) {
    for (const rule of rules) await enforce(namespace, rule);
  }
}

interface Rule {
  readonly kind: 'LimitRange' | 'ResourceQuota';
  readonly spec: object;
}

/** Makes a rule, and waits until it is in force: it refuses who asks for far too much or little. */
async function enforce(namespace: string, { kind, spec }: Rule): Promise<void> {
  const rule = { apiVersion: 'v1', kind, metadata: { name: 'rule', namespace }, spec };
  demand(await api.apply(rule));
  if ('hard' in spec) {
    const used = Object.fromEntries(Object.keys(spec.hard as object).map((name) => [name, '0']));
    const status = { hard: spec.hard, used };
    demand(await api.patch(rule, { status }, { subresource: 'status' }));
  }
  const secure = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const isRefused = async (cpu: string, memory: string) => {
    const resources = { requests: { cpu, memory }, limits: { cpu, memory } };
    const probe = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probe', namespace },
      spec: { containers: [{ name: 'x', image: 'x', resources, securityContext: secure }] },
    };
    return (await api.create(probe, { dryRun: true })).status === 403;
  };
  await until(async () => (await isRefused('9000', '9000Gi')) || (await isRefused('1m', '1Mi')));
}

/** The same pod, posted where it is signed and where it is not. */
async function postBoth(fixture: BuildFixture, name: string) {
  const post = async (namespace: string) => {
    const { pod } = await scene.store(fixture, namespace);
    return scene.post(pod, { dryRun: true });
  };
  return { signed: await post(name), unsigned: await post(`${name}-unsigned`) };
}

/** A fixture whose steps, one or all, ask for so much. */
function asking(
  name: string,
  requests?: Record<string, string>,
  { limits, alone }: { limits?: Record<string, string>; alone?: boolean } = {},
): BuildFixture {
  const fixture = buildFixture(name);
  for (const each of allContainers(fixture.pod)) {
    const isMeant = !alone || /^(?:export|rebase)$/.test(each.name);
    each.resources = isMeant && requests ? { requests, ...(limits && { limits }) } : {};
  }
  return fixture;
}

function isSigned(t: Test, answer: KubeAnswer<PodManifest>, what: string): PodManifest {
  const pod = demand(answer);
  t.ok(
    allContainers(pod).some(({ name }) => name === SIGNER),
    `${what}: signed`,
  );
  return pod;
}

t.test('Pod Security restricted admits signed what it admits unsigned', async (t) => {
  await twins('restricted', { labels: RESTRICTED });
  let admitted = 0;
  for (const name of signableFixtures) {
    const { signed, unsigned } = await postBoth(buildFixture(name), 'restricted');
    if (unsigned.ok) {
      isSigned(t, signed, name);
      admitted += 1;
    } else {
      t.match(unsigned.failure, { code: 403, message: 'violates PodSecurity' }, name);
      t.match(signed.failure, { code: 403, message: 'violates PodSecurity' }, name);
      t.notMatch(signed.failure?.message, SIGNER, `${name}: not because of us`);
    }
  }
  t.equal(admitted, 26, `of ${signableFixtures.length}: kpack of today sets what is asked for`);
});

t.test('a LimitRange admits signed what it admits unsigned', async (t) => {
  const container = {
    type: 'Container',
    default: { cpu: '500m', memory: '512Mi' },
    defaultRequest: { cpu: '100m', memory: '192Mi' },
    max: { cpu: '2', memory: '4Gi' },
    min: { cpu: '20m', memory: '64Mi' },
  };
  const ranges = {
    'defaults, largest and smallest': [container],
    'largest alone': [{ type: 'Container', max: { cpu: '60m', memory: '64Mi' } }],
    'a ratio': [{ ...container, maxLimitRequestRatio: { cpu: '5', memory: '3' } }],
    'smallest alone': [{ type: 'Container', min: { cpu: '20m', memory: '64Mi' } }],
  };
  for (const [at, [what, limits]] of Object.entries(ranges).entries()) {
    const name = `range-${at}`;
    await twins(name, { rules: [{ kind: 'LimitRange', spec: { limits } }] });
    for (const fixture of SHAPES) {
      const given = buildFixture(fixture);
      const { signed, unsigned } = await postBoth(given, name);
      const isTooLarge = what === 'largest alone' && fixture.endsWith('10-everything');
      t.equal(unsigned.ok, !isTooLarge, `${what}: ${fixture}: unsigned`);
      if (isTooLarge) t.match(signed.failure, { code: 403, message: 'maximum' }, fixture);
      else isSigned(t, signed, `${what}: ${fixture}`);
    }
  }
});

t.test('a smallest amount above the flags is for the operator where steps wait', async (t) => {
  const min = { cpu: '200m', memory: '256Mi' };
  await twins('smallest', {
    rules: [{ kind: 'LimitRange', spec: { limits: [{ type: 'Container', min }] } }],
  });
  for (const fixture of SHAPES) {
    const { signed, unsigned } = await postBoth(asking(fixture), 'smallest');
    demand(unsigned);
    if (isWaiting(fixture)) {
      const message = 'minimum cpu usage per Container is 200m, but request is 100m';
      t.match(signed.failure, { code: 403, message }, fixture);
    } else isSigned(t, signed, fixture);
  }
});

t.test('the effective request grows by what is documented', async (t) => {
  await twins('effective');
  const amounts = [
    [undefined, false],
    [{ cpu: '500m', memory: '1Gi' }, false],
    [{ cpu: '500m', memory: '1Gi' }, true],
    [{ cpu: '10m', memory: '32Mi' }, true],
    [{ cpu: '10m' }, true],
  ] as const;
  for (const name of SHAPES) {
    for (const [requests, alone] of amounts) {
      const what = `${name} ${JSON.stringify(requests)} ${alone ? 'of export alone' : ''}`;
      const { signed, unsigned } = await postBoth(asking(name, requests, { alone }), 'effective');
      const pod = isSigned(t, signed, what);
      for (const resource of RESOURCES) {
        const before = effectiveRequest(demand(unsigned), resource);
        const growth = effectiveRequest(pod, resource) - before;
        const isAsked = requests && resource in requests;
        if (isAsked && !isWaiting(name)) t.equal(growth, 0, `${what}: ${resource}`);
        else t.ok(growth >= 0 && growth <= FLAGS[resource] + 1e-9, `${what}: ${resource}`);
      }
    }
  }
});

t.test('a ResourceQuota that is full to the brim admits signed what it admits', async (t) => {
  const amounts = { cpu: '500m', memory: '1Gi' };
  for (const [at, name] of SHAPES.entries()) {
    const namespace = `quota-${at}`;
    await twins(namespace);
    const given = asking(name, amounts, { limits: amounts });
    const { unsigned } = await postBoth(given, namespace);
    const added = isWaiting(name) ? FLAGS : { cpu: 0, memory: 0 };
    const cpu = effectiveRequest(demand(unsigned), 'cpu') + added.cpu;
    const memory = effectiveRequest(demand(unsigned), 'memory') + added.memory;
    const hard = (millis: number) => ({
      pods: '1',
      'requests.cpu': `${Math.round(cpu * 1000) - millis}m`,
      'requests.memory': `${memory}`,
      'limits.cpu': `${Math.round(cpu * 1000)}m`,
      'limits.memory': `${memory}`,
    });
    const post = async (millis: number) => {
      const place = `${namespace}-${millis}`;
      const rule = { kind: 'ResourceQuota', spec: { hard: hard(millis) } } as const;
      await twins(place, { rules: [rule] });
      return (await postBoth(given, place)).signed;
    };
    const signer = container(isSigned(t, await post(0), name), SIGNER);
    t.ok(signer.resources?.limits, 'or a quota of limits would refuse it');
    t.match((await post(1)).failure, { code: 403, message: 'exceeded quota' }, name);
  }
});
