import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { BUILD_LABEL, KPACK_GROUP, SIGNING_CONTAINER } from '../../shared/names.ts';
import { readBuildSteps, type BuildSteps, type UnknownSteps } from './build-steps.ts';
import type { OwnerReference } from '../../shared/kubernetes/cluster.ts';

/** A pod as it arrives: plain JSON, of which the API server has checked the types. */
export type Pod = V1Pod & { readonly spec: V1PodSpec };

/** A pod with kpack's build label, read once. */
export interface BuildPod {
  readonly pod: Pod;
  readonly name: string;
  /** The controller owner, when it is a kpack.io Build. */
  readonly owner: OwnerReference | undefined;
  readonly isWindows: boolean;
  readonly steps: BuildSteps | UnknownSteps;
  readonly serviceAccountName: string;
}

/** Reads a pod; undefined when it does not carry kpack's build label. */
export function readBuildPod(object: unknown): BuildPod | undefined {
  if (!isPod(object)) return undefined;
  const { metadata, spec } = object;
  if (metadata?.labels?.[BUILD_LABEL] === undefined) return undefined;
  return {
    pod: object,
    name: metadata.name ?? metadata.generateName ?? '',
    owner: kpackController(metadata.ownerReferences, 'Build'),
    isWindows: spec.nodeSelector?.['kubernetes.io/os'] === 'windows' || spec.os?.name === 'windows',
    steps: readBuildSteps(spec),
    serviceAccountName: spec.serviceAccountName ?? 'default',
  };
}

/** A version of kpack's API, and nothing that a path could be made of. */
const KPACK_VERSION = /^v\d+[a-z0-9]*$/;

/** The controller among the owners of an object, when it is an object of kpack of that kind. */
export function kpackController(
  owners: readonly OwnerReference[] | undefined,
  ofKind: 'Build' | 'Image',
): OwnerReference | undefined {
  return owners?.find(
    ({ apiVersion, kind, controller }) =>
      controller === true && kind === ofKind && isKpackVersion(apiVersion),
  );
}

/** Whether an apiVersion is one of kpack's own. */
function isKpackVersion(apiVersion: string): boolean {
  const [group, version = '', ...others] = apiVersion.split('/');
  return group === KPACK_GROUP && KPACK_VERSION.test(version) && others.length === 0;
}

/** The containers that a pod is created with. */
export function allContainers({ initContainers = [], containers }: V1PodSpec): V1Container[] {
  return [...initContainers, ...containers];
}

/** The signing container, where there is one. */
export function signerOf({ spec }: Pod): V1Container | undefined {
  return allContainers(spec).find(({ name }) => name === SIGNING_CONTAINER);
}

/** Whether an object is a pod with containers; the API server has checked the rest. */
export function isPod(object: unknown): object is Pod {
  const { kind, spec } = (object ?? {}) as { kind?: unknown; spec?: { containers?: unknown } };
  return kind === 'Pod' && Array.isArray(spec?.containers);
}
