import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { BUILD_LABEL, KPACK_GROUP, REPORT_FILE, REPORT_VOLUME } from '../shared/names.ts';
import type { OwnerReference } from './cluster.ts';

/** A pod as it arrives: plain JSON, of which the API server has checked the types. */
export type Pod = V1Pod & { readonly spec: V1PodSpec };

/** How the steps of a build follow one another. */
export type PodShape = 'init-containers' | 'standard-containers';

/** A pod with kpack's build label, read once. */
export interface BuildPod {
  readonly pod: Pod;
  readonly name: string;
  /** The controller owner, when it is a kpack.io Build. */
  readonly owner: OwnerReference | undefined;
  readonly shape: PodShape;
  readonly isWindows: boolean;
  /** The step that pushes the image: `export`, or `rebase`. Undefined: not a pod we know. */
  readonly exportStep: V1Container | undefined;
  readonly completion: V1Container | undefined;
  readonly report: ReportWriting;
  readonly serviceAccountName: string;
}

/**
 * How the image comes to be reported: `written` by the step as kpack made it; `possible` when the
 * step takes `-report`; `unknown` when its lifecycle may not know that argument.
 */
export type ReportWriting = 'written' | 'possible' | 'unknown';

const EXPORT_STEPS = ['export', 'rebase'];
/** Platform API that brought `-report`. */
const REPORT_API = [0, 4] as const;

/** Reads a pod; undefined when it does not carry kpack's build label. */
export function readBuildPod(object: unknown): BuildPod | undefined {
  if (!isPod(object)) return undefined;
  const { metadata, spec } = object;
  if (metadata?.labels?.[BUILD_LABEL] === undefined) return undefined;
  const init = spec.initContainers ?? [];
  const isExport = ({ name }: V1Container) => EXPORT_STEPS.includes(name);
  const exportStep = init.find(isExport) ?? spec.containers.find(isExport);
  return {
    pod: object,
    name: metadata.name ?? metadata.generateName ?? '',
    owner: kpackController(metadata.ownerReferences, 'Build'),
    shape: spec.containers.some(isExport) ? 'standard-containers' : 'init-containers',
    isWindows: spec.nodeSelector?.['kubernetes.io/os'] === 'windows' || spec.os?.name === 'windows',
    exportStep,
    completion: spec.containers.find(({ name }) => name === 'completion'),
    report: reportWriting(object, exportStep),
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

/** The group of an apiVersion. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

function isPod(object: unknown): object is Pod {
  const { kind, spec } = (object ?? {}) as { kind?: unknown; spec?: { containers?: unknown } };
  return kind === 'Pod' && Array.isArray(spec?.containers);
}

function reportWriting({ spec }: Pod, step: V1Container | undefined): ReportWriting {
  if (!step) return 'unknown';
  const hasVolume = spec.volumes?.some(({ name }) => name === REPORT_VOLUME) ?? false;
  const isMounted = step.volumeMounts?.some(({ name }) => name === REPORT_VOLUME) ?? false;
  // As one argument, as two, or inside the one string of kpack's build-waiter.
  const isAsked = step.args?.some((arg) => arg.includes(REPORT_FILE)) ?? false;
  if (hasVolume && isMounted && isAsked) return 'written';
  const api = step.env?.find(({ name }) => name === 'CNB_PLATFORM_API')?.value;
  return knowsReports(api) ? 'possible' : 'unknown';
}

function knowsReports(api: string | undefined): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)$/.exec(api ?? '') ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) > REPORT_API[0] || Number(minor) >= REPORT_API[1];
}
