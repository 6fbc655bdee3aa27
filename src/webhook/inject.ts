import type { V1Container, V1Volume } from '@kubernetes/client-node';
import {
  INJECTED,
  KPACK_KEY_VOLUME,
  REPORT_DIRECTORY,
  REPORT_FILE,
  REPORT_VOLUME,
  SIGNING_CONTAINER,
  SKIPPED,
} from '../shared/names.ts';
import type { BuildPod, Pod } from './build-pod.ts';
import { whyContainerDiffers, whyVolumeDiffers } from './coverage.ts';
import { copyJson } from './json-copy.ts';
import type { PlannedSigning } from './plan.ts';
import { signingParts, type SignerPlacement, type SigningParts } from './signing-container.ts';

/** What comes of injecting: the pod as it should be, or why that cannot be made of this one. */
export type Injection =
  | { readonly kind: 'pod'; readonly pod: Pod }
  /** Our container is there, and not as we would make it now. */
  | { readonly kind: 'differs'; readonly what: string }
  /** A name or path of ours is taken. */
  | { readonly kind: 'collision'; readonly what: string };

const KPACK_SIGNER_FLAG = /^--?notary-v1-url(=|$)/;

/**
 * The pod with its signing container. Of a pod that has it already, the same pod: injecting twice
 * changes nothing. It appends, and touches what stands there in three places: completion's argument
 * and key volume of kpack's own signer, and `-report` of a step that does not write a report.
 */
export function injectSigner(
  { pod, exportStep, completion, report }: BuildPod,
  signing: PlannedSigning,
  placement: SignerPlacement,
  version: string,
): Injection {
  if (!exportStep || !completion) return collision('the pod has no export step or no completion');
  const hasReport = report !== 'unknown';
  const parts = signingParts(pod, exportStep, signing, hasReport, placement);
  const existing = allContainers(pod).filter(({ name }) => name === SIGNING_CONTAINER);
  const injected = copyJson(pod);

  takeOverFromKpack(injected);
  if (report === 'possible') {
    const taken = askForReport(injected, exportStep.name);
    if (taken !== undefined) return collision(taken);
  }
  if (existing.length === 0) {
    const missing = parts.volumes.filter((volume) => !hasVolume(pod, volume));
    const taken = missing.find(({ name }) =>
      pod.spec.volumes?.some((other) => other.name === name),
    );
    if (taken) return collision(`a volume named ${taken.name}`);
    (injected.spec.volumes ??= []).push(...missing);
    (injected.spec.initContainers ??= []).push(parts.container);
    setAnnotation(injected, INJECTED, version);
  } else {
    const what = whyNotOurs(pod, existing, parts, exportStep.name);
    if (what !== undefined) return { kind: 'differs', what };
  }
  return { kind: 'pod', pod: injected };
}

/** The pod with the reason why it stays unsigned. */
export function markSkipped(pod: Pod, reason: string): Pod {
  const marked = copyJson(pod);
  setAnnotation(marked, SKIPPED, reason);
  return marked;
}

/** The pod becomes what kpack would have made without a notary section. */
function takeOverFromKpack({ spec }: Pod): void {
  const completion = spec.containers.find(({ name }) => name === 'completion');
  const args = completion?.args ?? [];
  const at = args.findIndex((arg) => KPACK_SIGNER_FLAG.test(arg));
  if (at >= 0) args.splice(at, args[at]?.includes('=') ? 1 : 2);
  const volume = spec.volumes?.find(({ name }) => name === KPACK_KEY_VOLUME);
  if (volume?.secret) {
    delete volume.secret;
    volume.emptyDir = {};
  }
}

/** Makes the step write report.toml into a volume that we add; says what is in the way. */
function askForReport({ spec }: Pod, stepName: string): string | undefined {
  const step = spec.initContainers?.find(({ name }) => name === stepName);
  const mounts = (step?.volumeMounts ?? []).filter(
    ({ name, mountPath }) => mountPath === REPORT_DIRECTORY && name !== REPORT_VOLUME,
  );
  if (!step || mounts.length > 0) return `another volume at ${REPORT_DIRECTORY} of ${stepName}`;
  const volumes = (spec.volumes ??= []);
  if (!volumes.some(({ name }) => name === REPORT_VOLUME)) {
    volumes.push({ name: REPORT_VOLUME, emptyDir: {} });
  }
  const stepMounts = (step.volumeMounts ??= []);
  if (!stepMounts.some(({ name }) => name === REPORT_VOLUME)) {
    stepMounts.push({ name: REPORT_VOLUME, mountPath: REPORT_DIRECTORY });
  }
  // In front: the lifecycle takes everything after the first tag for another tag.
  const args = (step.args ??= []);
  if (!args.some((arg) => arg.includes(REPORT_FILE))) args.unshift(`-report=${REPORT_FILE}`);
  return undefined;
}

/** Whether the pod has this volume of ours: of a pod that lost its signing container, say. */
function hasVolume({ spec }: Pod, volume: V1Volume): boolean {
  const found = spec.volumes?.find(({ name }) => name === volume.name);
  return found !== undefined && whyVolumeDiffers(volume, found) === undefined;
}

/** Why the container that is there does not count as ours; undefined: it does. */
function whyNotOurs(
  { spec }: Pod,
  existing: readonly V1Container[],
  parts: SigningParts,
  stepName: string,
): string | undefined {
  const init = spec.initContainers ?? [];
  const at = init.findIndex(({ name }) => name === SIGNING_CONTAINER);
  if (existing.length > 1 || at < 0)
    return `a container named ${SIGNING_CONTAINER} in another place`;
  if (at < init.findIndex(({ name }) => name === stepName)) return `it stands before ${stepName}`;
  const volumes = parts.volumes.map((volume) =>
    whyVolumeDiffers(
      volume,
      spec.volumes?.find(({ name }) => name === volume.name),
    ),
  );
  return [whyContainerDiffers(parts.container, init[at]), ...volumes].find(Boolean);
}

function allContainers({ spec }: Pod): readonly V1Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

function setAnnotation(pod: Pod, name: string, value: string): void {
  const metadata = (pod.metadata ??= {});
  (metadata.annotations ??= {})[name] = value;
}

function collision(what: string): Injection {
  return { kind: 'collision', what };
}
