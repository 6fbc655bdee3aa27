/** Namespaces with rules of their own for pods: what is admitted unsigned is admitted signed. */
import t from 'tap';
import { demand } from '../bed/kube-client.ts';
import { buildFixture } from '../support/build-fixture.ts';
import { effectiveRequest } from './support/effective-request.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import {
  asking,
  CONFORMING,
  isSigned,
  makeTwins,
  postBoth,
  SHAPES,
  storeBoth,
  tryBoth,
} from './support/kubernetes-twins.ts';
import { allContainers, container, SIGNER } from '../support/pod.ts';
import { isWaiting, signableFixtures } from '../support/signable.ts';

const cluster = await startTestCluster(t);

const RESTRICTED = { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } };
/** What the flags of the webhook say where nobody sets them: CPUs and bytes. */
const FLAGS = { cpu: 0.1, memory: 128 * 2 ** 20 };
const RESOURCES = ['cpu', 'memory'] as const;

t.test('Pod Security restricted admits signed what it admits unsigned', async (t) => {
  await makeTwins(cluster, 'restricted', RESTRICTED);
  const admitted: string[] = [];
  for (const name of signableFixtures) {
    const { signed, unsigned } = await tryBoth(cluster, buildFixture(name), 'restricted');
    if (unsigned.ok) {
      isSigned(t, signed, name);
      admitted.push(name);
    } else {
      t.match(unsigned.failure, { code: 403, message: 'violates PodSecurity' }, name);
      t.same(signed.failure, unsigned.failure, `${name}: for nothing of ours`);
    }
  }
  const of = `of ${signableFixtures.length}: kpack of today sets what is asked for`;
  t.equal(admitted.length, 26, of);
  const pods = await storeBoth(cluster, buildFixture(admitted.at(-1) ?? ''), 'restricted');
  isSigned(t, (await postBoth(cluster, pods, { dryRun: false })).signed, 'stored');
});

t.test('standard containers are restricted by kpack alone: its pre-start', async (t) => {
  await makeTwins(cluster, 'conforming', RESTRICTED);
  for (const name of signableFixtures.filter(isWaiting)) {
    const asKpackMakesIt = await tryBoth(cluster, buildFixture(name), 'conforming');
    const { failure } = asKpackMakesIt.signed;
    t.match(failure, { code: 403, message: '"pre-start"' }, name);
    t.notMatch(failure?.message, SIGNER, name);
    t.same(failure, asKpackMakesIt.unsigned.failure, name);

    // As a policy of the cluster would have it.
    const fixture = buildFixture(name);
    for (const each of allContainers(fixture.pod)) each.securityContext = CONFORMING;
    const { signed, unsigned } = await tryBoth(cluster, fixture, 'conforming');
    demand(unsigned);
    isSigned(t, signed, name);
  }
});

t.test('the effective request grows by what is documented', async (t) => {
  await makeTwins(cluster, 'effective');
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
      const { signed, unsigned } = await tryBoth(
        cluster,
        asking(name, requests && { requests }, { alone }),
        'effective',
      );
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
    await makeTwins(cluster, namespace);
    const given = asking(name, { requests: amounts, limits: amounts });
    const { unsigned } = await tryBoth(cluster, given, namespace);
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
      await makeTwins(cluster, place, { rules: [rule] });
      const pods = await storeBoth(cluster, given, place);
      return (await postBoth(cluster, pods, { dryRun: false })).signed;
    };
    const signer = container(isSigned(t, await post(0), name), SIGNER);
    t.ok(signer.resources?.limits, 'or a quota of limits would refuse it');
    t.match((await post(1)).failure, { code: 403, message: 'exceeded quota' }, name);
  }
});

t.test(
  'nothing demands a CPU limit of the signer that it does not demand of the step',
  async (t) => {
    const amounts = { cpu: '500m', memory: '1Gi' };
    const steps = { requests: amounts, limits: { memory: '1Gi' } };
    const rules = {
      'a quota of limits': { kind: 'ResourceQuota', spec: { hard: { 'limits.cpu': '100' } } },
      'a ratio': {
        kind: 'LimitRange',
        spec: {
          limits: [{ type: 'Container', min: { cpu: '1m' }, maxLimitRequestRatio: { cpu: '4' } }],
        },
      },
    } as const;
    for (const [at, name] of SHAPES.entries()) {
      for (const [rule, [what, spec]] of Object.entries(rules).entries()) {
        const namespace = `limitless-${at}-${rule}`;
        await makeTwins(cluster, namespace, { rules: [spec] });
        const given = await tryBoth(cluster, asking(name, steps), namespace);
        t.equal(given.unsigned.ok, false, `${what}: ${name} is refused unsigned`);
        const stated = { requests: amounts, limits: amounts };
        const both = await tryBoth(cluster, asking(name, stated), namespace);
        demand(both.unsigned);
        const signer = container(isSigned(t, both.signed, `${what}: ${name}`), SIGNER);
        t.ok(signer.resources?.limits?.['cpu'], 'a limit of the step is one of the signer');
      }
    }
    await makeTwins(cluster, 'limitless');
    for (const name of SHAPES) {
      const { signed } = await tryBoth(cluster, asking(name, steps), 'limitless');
      const { resources } = container(isSigned(t, signed, name), SIGNER);
      t.notOk(resources?.limits?.['cpu'], `${name}: no limit that would slow the signer`);
      t.ok(resources?.requests?.['cpu'], 'and a request');
      t.ok(resources?.limits?.['memory'], 'and a limit of memory');
    }
  },
);
