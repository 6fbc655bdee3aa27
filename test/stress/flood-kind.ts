/** The floods: what each one sends, and what of the cluster it needs. */
import { admissionReview } from '../bed/webhook.ts';
import type { PodManifest } from '../support/build-fixture.ts';

/** How a flood goes on. */
export type Flood =
  /** The same request over and over, so many at a time. */
  | {
      readonly kind: 'requests';
      readonly path: string;
      readonly body: () => string;
      readonly atOnce: number;
    }
  /** Connections that ask nothing; each is opened anew when it is closed. */
  | { readonly kind: 'idle'; readonly connections: number }
  /** Connections that say that a body comes, and send a byte of it now and then. */
  | { readonly kind: 'slow'; readonly connections: number; readonly lengths: readonly number[] };

/** A flood by its name, and how long an honest pod may take under it. */
export interface FloodKind {
  readonly flood: Flood;
  /** Milliseconds, for 99 of 100. */
  readonly mostP99: number;
}

/** The service account of the namespace that floods, and how many Secrets it names. */
export const CROWDED = { name: 'crowded', secrets: 60_000 } as const;

const BODY_BYTES = 8 * 1024 * 1024;
/** Leaves room for the review around it. */
const FILL = BODY_BYTES - 4_096;
const [LONG, SHORT] = [3_000, 1_000];

/** @param pod a build pod of a Build in the namespace that floods */
export function floodKinds(pod: PodManifest): Readonly<Record<string, FloodKind>> {
  const bodies = (atOnce: number, fill: () => string): FloodKind => ({
    flood: { kind: 'requests', path: '/mutate', atOnce, body: () => reviewOf(fill()) },
    mostP99: LONG,
  });
  const reviews = (atOnce: number, path: string, object: () => object): FloodKind => ({
    flood: {
      kind: 'requests',
      path,
      atOnce,
      body: () => JSON.stringify(admissionReview({ object: object() })),
    },
    mostP99: SHORT,
  });
  return {
    none: { flood: { kind: 'idle', connections: 0 }, mostP99: SHORT },
    strings: bodies(60, () => JSON.stringify('x'.repeat(FILL - 2))),
    arrays: bodies(8, () => `[${'{},'.repeat(FILL / 3 - 2)}{}]`),
    depth: bodies(8, () => `${'['.repeat(FILL / 2)}${']'.repeat(FILL / 2)}`),
    keys: bodies(8, () => membersOf(FILL)),
    idle: { flood: { kind: 'idle', connections: 6_000 }, mostP99: SHORT },
    slow: {
      flood: { kind: 'slow', connections: 200, lengths: [20_000, BODY_BYTES] },
      mostP99: SHORT,
    },
    accounts: reviews(8, '/mutate', () => crowdedPod(pod)),
    mounts: reviews(4, '/mutate', () => mountedPod(pod)),
    annotations: reviews(8, '/validate', annotatedImage),
  };
}

/** A review of an object with one member. */
function reviewOf(text: string): string {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'flood' }, fill: '%' };
  return JSON.stringify(admissionReview({ object })).replace('"%"', () => text);
}

function membersOf(bytes: number): string {
  const members: string[] = [];
  for (let i = 0, length = 0; length < bytes - 20; i++) {
    const member = `"k${i}":1`;
    members.push(member);
    length += member.length + 1;
  }
  return `{${members.join(',')}}`;
}

function crowdedPod(pod: PodManifest): PodManifest {
  const copy = structuredClone(pod);
  copy.spec.serviceAccountName = CROWDED.name;
  return copy;
}

/** 800 mounts, each of a volume of its own, and 800 words that each may name one of them. */
function mountedPod(pod: PodManifest): PodManifest {
  const copy = structuredClone(pod);
  const count = 800;
  const names = Array.from({ length: count }, (_, i) => `flood-${i}`);
  copy.spec.volumes = [
    ...(copy.spec.volumes ?? []),
    ...names.map((name) => ({ name, secret: { secretName: `${name}-other` } })),
  ];
  for (const container of [...(copy.spec.initContainers ?? []), ...copy.spec.containers]) {
    if (container.name !== 'prepare' && container.name !== 'completion') continue;
    container.args = [
      ...(container.args ?? []),
      ...names.map((name) => `-basic-docker=${name}=${name}.example.com`),
    ];
    container.volumeMounts = [
      ...(container.volumeMounts ?? []),
      ...names.map((name) => ({ name, mountPath: `/var/build-secrets/${name}` })),
    ];
  }
  return copy;
}

/** 250 KB of annotations that nobody knows. */
function annotatedImage(): object {
  const annotations = Object.fromEntries(
    Array.from({ length: 6_000 }, (_, i) => [`notary.kpack.io/v1.secretRe-${i}`, 'x']),
  );
  const metadata = { name: 'flood', namespace: 'flood', annotations };
  return { apiVersion: 'kpack.io/v1alpha2', kind: 'Image', metadata, spec: {} };
}
