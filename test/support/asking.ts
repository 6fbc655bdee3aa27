/** The webhooks without a server: a pod and its cluster in, the answer out. */
import type { Test } from 'tap';
import { parseReview, reviewOf } from '../../src/webhook/admission/admission.ts';
import { ClusterError, type Cluster } from '../../src/shared/kubernetes/cluster.ts';
import type { ReviewSettings } from '../../src/webhook/admission/pod-create.ts';
import { routeReview } from '../../src/webhook/admission/router.ts';
import {
  admissionReview,
  applyPatch,
  KPACK_USER,
  type AdmissionResponse,
  type ReviewOptions,
} from '../bed/webhook.ts';
import {
  type BuildFixture,
  type Manifest,
  manifestsOf,
  type PodManifest,
} from './build-fixture.ts';

export const SETTINGS: Omit<ReviewSettings, 'cluster'> = {
  kpackUsers: [KPACK_USER],
  placement: {
    image: `registry.example.com/kpack-notary/signer@sha256:${'0f'.repeat(32)}`,
    cpu: '100m',
    memory: '128Mi',
  },
  version: '9.8.7',
  ownNamespace: undefined,
};

/** Objects in memory, of any version of their group; of Secrets the metadata alone. */
export function memoryCluster(manifests: readonly Manifest[]): Cluster {
  const group = (apiVersion: string) => (apiVersion.includes('/') ? apiVersion.split('/')[0] : '');
  return {
    get: ({ apiVersion, kind, namespace, name }) => {
      const found = manifests.find(
        (manifest) =>
          manifest.kind === kind &&
          group(manifest.apiVersion) === group(apiVersion) &&
          manifest.metadata.name === name &&
          manifest.metadata.namespace === namespace,
      );
      return Promise.resolve(found && (kind === 'Secret' ? { metadata: found.metadata } : found));
    },
    limitRanges: (namespace) =>
      Promise.resolve(
        manifests.filter(
          ({ kind, metadata }) => kind === 'LimitRange' && metadata.namespace === namespace,
        ),
      ),
  };
}

/** A cluster that notes the kinds that are read, by the rounds in which they are asked for. */
export function countingRounds(cluster: Cluster): {
  readonly cluster: Cluster;
  readonly rounds: readonly (readonly string[])[];
} {
  const rounds: string[][] = [];
  let isOpen = false;
  const count = async (kind: string) => {
    if (!isOpen) rounds.push([]);
    isOpen = true;
    rounds.at(-1)?.push(kind);
    await new Promise(setImmediate);
    isOpen = false;
  };
  return {
    rounds,
    cluster: {
      get: async (reference) => {
        await count(reference.kind);
        return cluster.get(reference);
      },
      limitRanges: async (namespace) => {
        await count('LimitRange');
        return cluster.limitRanges(namespace);
      },
    },
  };
}

/** A cluster that cannot tell objects of one kind. */
export function unreadable(cluster: Cluster, kind: string): Cluster {
  const fail = () =>
    Promise.reject(new ClusterError(`GET ${kind} failed`, { fix: `Mend the ${kind}.` }));
  return {
    get: (reference) => (reference.kind === kind ? fail() : cluster.get(reference)),
    limitRanges: (namespace) => (kind === 'LimitRange' ? fail() : cluster.limitRanges(namespace)),
  };
}

export interface Asking extends Partial<Omit<ReviewOptions, 'object'>> {
  readonly settings?: Partial<ReviewSettings>;
}

/** Cannot be changed, at any depth: who changes what came is caught wherever it is asked. */
function deepFreeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

/** What a webhook answers, through JSON as on the wire. */
export async function ask(
  question: 'mutate' | 'validate',
  object: object,
  cluster: Cluster,
  { settings, ...options }: Asking = {},
): Promise<AdmissionResponse> {
  const body = deepFreeze(JSON.parse(JSON.stringify(admissionReview({ object, ...options }))));
  const request = parseReview(body);
  const verdict = await routeReview(question, request, { ...SETTINGS, cluster, ...settings });
  const answer = JSON.parse(JSON.stringify(reviewOf(request.uid, verdict))) as {
    response: AdmissionResponse;
  };
  return answer.response;
}

export function mutate(build: BuildFixture, asking: Asking & { pod?: object } = {}) {
  const { pod = build.pod, ...rest } = asking;
  return ask('mutate', pod, memoryCluster(manifestsOf(build)), rest);
}

export function validate(build: BuildFixture, pod: object = build.pod, asking: Asking = {}) {
  return ask('validate', pod, memoryCluster(manifestsOf(build)), asking);
}

/**
 * The pod with its signing container.
 *
 * @throws Error with what was answered instead
 */
export async function inject(build: BuildFixture, asking: Asking = {}): Promise<PodManifest> {
  const response = await mutate(build, asking);
  if (response.patch === undefined) throw new Error(JSON.stringify(response));
  return applyPatch(build.pod, response);
}

/**
 * `allowed`, or status and code of a refusal.
 *
 * @throws Error when a refusal lacks what people and kpack need: code, reason, fix
 */
export function verdictOf({ allowed, status, patch }: AdmissionResponse): string {
  if (allowed) return patch === undefined ? 'allowed' : 'patched';
  const { code = 0, reason = '', message = '' } = status ?? {};
  const name = /^kpack-notary ([A-Z_]+): \S.*\. Fix: \S.*$/s.exec(message)?.[1];
  const reasons: Record<number, string> = { 422: 'Invalid', 503: 'ServiceUnavailable' };
  if (name === undefined || reasons[code] !== reason || patch !== undefined) {
    throw new Error(`not a refusal as it should be: ${JSON.stringify(status)}`);
  }
  return `${code} ${name}`;
}

/** Mutate and validate agree on a refusal; its message. */
export async function refusedBy(
  t: Test,
  given: BuildFixture,
  verdict: string,
  options: Parameters<typeof mutate>[1] = {},
): Promise<string> {
  const mutated = await mutate(given, options);
  const validated = await validate(given, options.pod, options);
  t.equal(verdictOf(mutated), verdict);
  t.equal(verdictOf(validated), verdict, 'validate says the same');
  t.equal(mutated.status?.message, validated.status?.message);
  return mutated.status?.message ?? '';
}

/** Left alone: no patch, by both. */
export async function untouchedBy(
  t: Test,
  given: BuildFixture,
  options: Parameters<typeof mutate>[1] = {},
): Promise<AdmissionResponse> {
  const mutated = await mutate(given, options);
  t.equal(verdictOf(mutated), 'allowed');
  t.equal(verdictOf(await validate(given, options.pod, options)), 'allowed');
  return mutated;
}
