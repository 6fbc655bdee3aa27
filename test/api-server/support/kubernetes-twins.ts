/** Pairs of namespaces with the same rules for pods: in the first, build pods are signed. */
import type { Test } from 'tap';
import { demand, type KubeAnswer, type KubeOptions } from '../../bed/kube-client.ts';
import {
  ADMIN,
  buildFixture,
  type BuildFixture,
  type PodManifest,
} from '../../support/build-fixture.ts';
import type { TestCluster } from '../../support/test-cluster.ts';
import { allContainers, SIGNER, type Container } from '../../support/pod.ts';
import { until } from '../../support/program.ts';

/** Builds and rebases, as init containers and as standard ones. */
export const SHAPES = [
  'v0.17.2/02b-notary-registry-secrets',
  'v0.17.2/05b-rebase-notary',
  'v0.17.2/07b-standard-containers-notary',
  'v0.17.2/07c-standard-containers-rebase',
  'v0.17.2/10-everything',
];

/** What Pod Security `restricted` wants of a container. */
export const CONFORMING = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

/** A rule for the pods of a namespace. */
export interface Rule {
  readonly kind: 'LimitRange' | 'ResourceQuota';
  readonly spec: object;
}

/** Rules of a namespace, and its labels beside ours. */
export interface TwinOptions {
  readonly labels?: Record<string, string>;
  readonly rules?: readonly Rule[];
}

/** The same of both: where pods are signed, and where they are not. */
export interface Both<Value> {
  readonly signed: Value;
  readonly unsigned: Value;
}

/** Makes two namespaces, and waits until their rules are in force. */
export async function makeTwins(
  cluster: TestCluster,
  name: string,
  { labels = {}, rules = [] }: TwinOptions = {},
): Promise<void> {
  const signing = { 'notary.kpack.io/signing': 'enabled' };
  await cluster.namespace(name, { labels: { ...labels, ...signing }, annotations: ADMIN });
  await cluster.namespace(`${name}-unsigned`, { labels });
  for (const namespace of [name, `${name}-unsigned`]) {
    for (const [at, rule] of rules.entries()) await enforce(cluster, namespace, `rule-${at}`, rule);
  }
}

/** Makes a rule, and waits until it refuses who asks for far too much, too little, or both. */
async function enforce(
  { api }: TestCluster,
  namespace: string,
  name: string,
  { kind, spec }: Rule,
): Promise<void> {
  const rule = { apiVersion: 'v1', kind, metadata: { name, namespace }, spec };
  demand(await api.apply(rule));
  if ('hard' in spec) {
    const used = Object.fromEntries(Object.keys(spec.hard as object).map((name) => [name, '0']));
    const status = { hard: spec.hard, used };
    demand(await api.patch(rule, { status }, { subresource: 'status' }));
  }
  // Another rule of the namespace may be in force already, about something else.
  const about = JSON.stringify(spec).includes('cpu') ? 'cpu' : 'memory';
  const isRefused = async (requests: object, limits: object) => {
    const resources = { requests, limits };
    const probe = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probe', namespace },
      spec: { containers: [{ name: 'x', image: 'x', resources, securityContext: CONFORMING }] },
    };
    const { status, failure } = await api.create(probe, { dryRun: true });
    return status === 403 && failure?.message.includes(about) === true;
  };
  const little = { cpu: '1m', memory: '1Mi' };
  const much = { cpu: '9000', memory: '9000Gi' };
  await until(
    async () =>
      (await isRefused(much, much)) ||
      (await isRefused(little, little)) ||
      (await isRefused(little, much)),
  );
}

/** Stores what a build pod was made from in both; the pods are yet to be posted. */
export async function storeBoth(
  cluster: TestCluster,
  fixture: BuildFixture,
  name: string,
): Promise<Both<PodManifest>> {
  const [signed, unsigned] = [
    await cluster.store(fixture, name),
    await cluster.store(fixture, `${name}-unsigned`),
  ];
  return { signed: signed.pod, unsigned: unsigned.pod };
}

/** Posts a pod in both. */
export async function postBoth(
  cluster: TestCluster,
  { signed, unsigned }: Both<PodManifest>,
  options: Pick<KubeOptions, 'dryRun'>,
): Promise<Both<KubeAnswer<PodManifest>>> {
  return {
    signed: await cluster.post(signed, options),
    unsigned: await cluster.post(unsigned, options),
  };
}

/** Tries a pod in both, without storing it. */
export async function tryBoth(
  cluster: TestCluster,
  fixture: BuildFixture,
  name: string,
): Promise<Both<KubeAnswer<PodManifest>>> {
  return postBoth(cluster, await storeBoth(cluster, fixture, name), { dryRun: true });
}

/** Lets all steps of a pod ask for so much, or `export` and `rebase` alone. */
export function letAsk(
  pod: PodManifest,
  resources: NonNullable<Container['resources']> = {},
  { alone }: { readonly alone?: boolean } = {},
): void {
  for (const each of allContainers(pod)) {
    each.resources = !alone || /^(?:export|rebase)$/.test(each.name) ? resources : {};
  }
}

/** A fixture whose steps ask for so much. */
export function asking(
  name: string,
  resources?: NonNullable<Container['resources']>,
  how?: Parameters<typeof letAsk>[2],
): BuildFixture {
  const fixture = buildFixture(name);
  letAsk(fixture.pod, resources, how);
  return fixture;
}

/** The pod of an answer, which has to be one, and to be signed. */
export function isSigned(t: Test, answer: KubeAnswer<PodManifest>, what: string): PodManifest {
  const pod = demand(answer);
  t.ok(
    allContainers(pod).some(({ name }) => name === SIGNER),
    `${what}: signed`,
  );
  return pod;
}
