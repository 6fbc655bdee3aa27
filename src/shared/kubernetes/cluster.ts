import { KPACK_GROUP } from '../names.ts';

const CORE = { group: '', versions: ['v1'] } as const;
const KPACK = { group: KPACK_GROUP, versions: ['v1alpha2', 'v1alpha1'] } as const;

/** All kinds that are read: where they are served, the newest version first. */
export const KINDS = {
  Namespace: { ...CORE, resource: 'namespaces' },
  ServiceAccount: { ...CORE, resource: 'serviceaccounts' },
  Secret: { ...CORE, resource: 'secrets' },
  LimitRange: { ...CORE, resource: 'limitranges' },
  Pod: { ...CORE, resource: 'pods' },
  Build: { ...KPACK, resource: 'builds' },
  Image: { ...KPACK, resource: 'images' },
} as const;

/** The objects that a decision needs. Of Secrets the metadata alone is ever asked for. */
export type ClusterKind = 'Namespace' | 'ServiceAccount' | 'Secret' | 'Build' | 'Image';

/** Which object; `apiVersion` is that of the reference that led to it. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: ClusterKind;
  /** Absent for Namespaces. */
  readonly namespace?: string;
  readonly name: string;
}

/** The members of an API object that the programs use. */
export interface ClusterObject {
  readonly metadata: ObjectMetadata;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Of a ServiceAccount; `too-many` if there are too many to look at. */
  readonly secrets?: readonly { readonly name?: string }[] | 'too-many';
}

export interface ObjectMetadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly deletionTimestamp?: unknown;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

/** Where objects come from: the Kubernetes API, or a directory of manifests. */
export interface Cluster {
  /**
   * Reads one object; undefined if it does not exist.
   *
   * @param signal aborts the read; its reason says why
   * @throws ClusterError when the read fails
   */
  get(reference: ObjectReference, signal?: AbortSignal): Promise<ClusterObject | undefined>;
  /**
   * Reads all LimitRanges of a namespace. No decision needs all objects of another kind.
   *
   * @param signal as for {@link get}
   * @throws ClusterError when the read fails
   */
  limitRanges(namespace: string, signal?: AbortSignal): Promise<readonly ClusterObject[]>;
}

/** What is read, by kind: a closed set, since it is a label of metrics. */
export type ReadKind = ClusterKind | 'LimitRange';

/** Kinds of which `webhook explain` wants all in a namespace; no decision ever does. */
export type ListedKind = 'Build' | 'Image' | 'Pod';

/** A cluster that can also be looked through. */
export interface ListingCluster extends Cluster {
  /**
   * Reads all objects of a kind in a namespace, with their kind.
   *
   * @throws ClusterError when the read fails
   */
  list(kind: ListedKind, namespace: string): Promise<readonly ListedObject[]>;
}

/** An object as a list has it. */
export interface ListedObject extends ClusterObject {
  readonly kind: ListedKind;
  readonly apiVersion: string;
}

/** How a read failed: a closed set, since it is a label of metrics. */
export type ClusterFailure = 'forbidden' | 'timeout' | 'error';

/** The cluster did not answer: nothing can be decided, and a later try may succeed. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  /** What to do about it. */
  readonly fix: string | undefined;
  readonly failure: ClusterFailure;

  constructor(
    message: string,
    options: { cause?: unknown; fix?: string; failure?: ClusterFailure } = {},
  ) {
    super(message, { cause: options.cause });
    this.fix = options.fix;
    this.failure = options.failure ?? 'error';
  }

  /** The message, and what to do about it where that is known. */
  get sentence(): string {
    return this.fix === undefined ? this.message : `${this.message}. Fix: ${this.fix}`;
  }
}

/** The group of an apiVersion. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

/** Which versions of a kind are served, as objects state it. */
export function apiVersionsOf(kind: keyof typeof KINDS): readonly string[] {
  const { group, versions } = KINDS[kind];
  return versions.map((version) => (group === '' ? version : `${group}/${version}`));
}
