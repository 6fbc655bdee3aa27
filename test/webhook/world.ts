/** The webhooks without a server: a pod and its cluster in, the answer out. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../../src/webhook/cluster.ts';
import { parseReview, reviewOf } from '../../src/webhook/admission.ts';
import { review, type ReviewSettings } from '../../src/webhook/review.ts';
import {
  admissionReview,
  applyPatch,
  KPACK_USER,
  type AdmissionResponse,
  type ReviewOptions,
} from '../bed/webhook.ts';
import {
  buildFixture,
  manifestsOf,
  signingNamespace,
  type BuildFixture,
  type Manifest,
  type PodManifest,
} from '../build-fixture.ts';
import { projectDirectory } from '../fixture.ts';

/** A build pod, what it was made from, and its namespace. Free to be changed. */
export interface World extends BuildFixture {
  namespace: Manifest;
}

export type Container = NonNullable<PodManifest['spec']['initContainers']>[number];

export const SIGNER = 'notary-sign';
export const URL = 'https://notary.example.com:4443';
export const PIN = 'a1'.repeat(32);
export const OTHER_PIN = 'b2'.repeat(32);

export const SETTINGS: Omit<ReviewSettings, 'cluster'> = {
  kpackUsers: [KPACK_USER],
  placement: {
    image: `registry.example.com/kpack-notary/signer@sha256:${'0f'.repeat(32)}`,
    cpu: '100m',
    memory: '128Mi',
  },
  version: '9.8.7',
};

/** @param name `v0.17.2/02-notary`, as the directory is named */
export function world(name = 'v0.17.2/02-notary', namespace = signingNamespace()): World {
  return { ...buildFixture(name), namespace };
}

/** Every fixture that has a pod. */
export function fixtureNames(): string[] {
  const directory = join(projectDirectory(), 'test/fixtures/pods');
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('pod.json'))
    .map((file) => file.replace(/\/pod\.json$/, ''))
    .sort();
}

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
  };
}

export interface Asking extends Partial<Omit<ReviewOptions, 'object'>> {
  readonly settings?: Partial<ReviewSettings>;
}

/** What a webhook answers, through JSON as on the wire. */
export async function ask(
  question: 'mutate' | 'validate',
  object: object,
  cluster: Cluster,
  { settings, ...options }: Asking = {},
): Promise<AdmissionResponse> {
  const body: unknown = JSON.parse(JSON.stringify(admissionReview({ object, ...options })));
  const request = parseReview(body);
  const verdict = await review(question, request, { ...SETTINGS, cluster, ...settings });
  const answer = JSON.parse(JSON.stringify(reviewOf(request.uid, verdict))) as {
    response: AdmissionResponse;
  };
  return answer.response;
}

export function mutate(world: World, asking: Asking & { pod?: object } = {}) {
  const { pod = world.pod, ...rest } = asking;
  return ask('mutate', pod, memoryCluster(manifestsOf(world, world.namespace)), rest);
}

export function validate(world: World, pod: object = world.pod, asking: Asking = {}) {
  return ask('validate', pod, memoryCluster(manifestsOf(world, world.namespace)), asking);
}

/**
 * The pod with its signing container.
 *
 * @throws Error with what was answered instead
 */
export async function inject(world: World, asking: Asking = {}): Promise<PodManifest> {
  const response = await mutate(world, asking);
  if (response.patch === undefined) throw new Error(JSON.stringify(response));
  return applyPatch(world.pod, response);
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

export function initContainers({ spec }: PodManifest): Container[] {
  return spec.initContainers ?? [];
}

export function allContainers(pod: PodManifest): Container[] {
  return [...initContainers(pod), ...pod.spec.containers];
}

/** @throws Error where there is none */
export function container(pod: PodManifest, name: string): Container {
  const found = allContainers(pod).find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no container ${name}`);
  return found;
}

/** The flags of the signing container: values by name, in order. */
export function signerFlags(pod: PodManifest): Record<string, string[]> {
  const flags: Record<string, string[]> = {};
  for (const arg of container(pod, SIGNER).args ?? []) {
    const [, name = arg, value = ''] = /^--([a-z-]+)=(.*)$/s.exec(arg) ?? [];
    (flags[name] ??= []).push(value);
  }
  return flags;
}

export function clone<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

/** A changed copy. */
export function changed<Value>(value: Value, change: (copy: Value) => void): Value {
  const copy = clone(value);
  change(copy);
  return copy;
}

/** Sets the notary section wherever kpack would have copied it to. */
export function setSection({ build, image }: World, notary: unknown): void {
  build.spec['notary'] = notary;
  if (image) image.spec['notary'] = notary;
}

/** Sets annotations on the Image, and on Build and pod, where kpack copies them. */
export function annotate({ build, image, pod }: World, annotations: Record<string, string>): void {
  for (const object of [build, pod, ...(image ? [image] : [])]) {
    object.metadata.annotations = { ...object.metadata.annotations, ...annotations };
  }
}

export const section = (url: unknown = URL, secretRef: unknown = { name: 'notary-signing' }) => ({
  v1: { url, secretRef },
});
