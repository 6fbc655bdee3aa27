/** What an attacker may try, and how it ends. */
import type { KubeAnswer, KubeObject, KubeOptions } from '../../bed/kube-client.ts';
import { demand } from '../../bed/kube-client.ts';
import type { BuildFixture, Manifest, PodManifest } from '../../support/build-fixture.ts';
import type { StoredBuild } from '../../support/kubernetes-build.ts';
import type { TestCluster } from '../../support/test-cluster.ts';

/** The Secret that everything is about. */
export const KEY_SECRET = 'notary-signing';

/** Somebody with all rights in the cluster, who is not kpack. */
export const MALLORY: KubeOptions = { as: 'mallory', groups: ['system:masters'] };

/** A namespace of its own with a Build that is to be signed; its pod is yet to be posted. */
export interface Stage extends StoredBuild {
  readonly cluster: TestCluster;
  readonly namespace: string;
  readonly image: Manifest & { spec: Record<string, unknown> };
}

/** How an attempt ends. */
export type Ending =
  /** With this answer; without a code, by the API server's own rules. */
  | { readonly refused: readonly [status: number, code: string, words: RegExp] }
  /** Stored as it came, unsigned, with a warning; an empty expression where nobody has to be told. */
  | { readonly left: RegExp }
  /** Stored with our container, which has these flags. */
  | { readonly signed: Readonly<Record<string, readonly string[]>> };

/** A rule that somebody tries to get round, or a way to the key. */
export interface Abuse {
  readonly name: string;
  /** The build, as the directory of its fixture is named; a plain one otherwise. */
  readonly fixture?: string;
  /** Annotations that the admin has set on the namespace. */
  readonly admin?: Record<string, string>;
  /** What is in place before the Build is stored. */
  readonly prepare?: (fixture: BuildFixture) => void;
  /** What its pod is made of before it is posted. */
  readonly change?: (pod: PodManifest) => unknown;
  /** Whether the Build is stored while the webhook is away, which would have refused it. */
  readonly isMissed?: boolean;
  /** The attempt: the answer to its last request. */
  readonly play: (stage: Stage) => Promise<KubeAnswer<KubeObject>>;
  readonly ends: Ending;
}

export const refused = (code: string, words: RegExp, status = 422): Ending => ({
  refused: [status, code, words],
});

/** A build pod that is not as kpack made it. */
export const postedPodCase = (
  name: string,
  change: (pod: PodManifest, stage: Stage) => unknown,
  ends: Ending,
  options: KubeOptions = {},
): Abuse => ({
  name,
  play: async (stage) => {
    await change(stage.pod, stage);
    return stage.cluster.post(stage.pod, options);
  },
  ends,
});

/** A build pod that brings our container along, not quite as we would have made it. */
export const brought = (
  name: string,
  change: (pod: PodManifest, stage: Stage) => unknown,
  ends: Ending,
): Abuse => ({
  name,
  play: async (stage) => {
    const pod = demand(await stage.cluster.post(stage.pod, { dryRun: true }));
    const { name, namespace, labels, annotations, ownerReferences } = pod.metadata;
    const metadata = { name, namespace, labels, annotations, ownerReferences };
    const copy = Object.assign(pod, { metadata }) as PodManifest;
    await change(copy, stage);
    return stage.cluster.post(copy);
  },
  ends,
});

/** A build pod as kpack made it, admitted, and then changed. */
export const admitted = (
  name: string,
  change: (pod: PodManifest) => unknown,
  ends: Ending,
  options: KubeOptions = {},
): Abuse => ({
  name,
  play: async ({ cluster, pod }) => {
    const stored = demand(await cluster.post(pod));
    change(stored);
    return cluster.api.update(stored, { ...MALLORY, ...options });
  },
  ends,
});

export const invalid = (words: RegExp): Ending => refused('NOTARY_CONFIG_INVALID', words);

/** A section, or annotations, that a developer writes on an Image. */
export const written = (
  name: string,
  words: { notary?: unknown; annotations?: Record<string, string> },
  ends: Ending,
  admin: Record<string, string> = {},
): Abuse => ({
  name,
  admin,
  play: ({ cluster, image, namespace }) => {
    const { notary, annotations = {} } = words;
    const metadata = { name: 'written', namespace, annotations };
    const spec = { ...image.spec, ...(notary !== undefined && { notary }) };
    return cluster.api.create<KubeObject>({ ...image, metadata, spec } as KubeObject, MALLORY);
  },
  ends,
});
