import type { V1Container, V1Volume } from '@kubernetes/client-node';
import { INJECTED, SIGNING_CONTAINER, SKIPPED } from '../../shared/names.ts';
import { allContainers, type Pod } from '../build-pod/build-pod.ts';
import type { BuildSteps } from '../build-pod/build-steps.ts';
import { setWaitFile } from '../build-pod/build-waiter.ts';
import { whyContainerDiffers, whyTampered, whyVolumeDiffers } from './container-diff.ts';
import { changeOf, markOf, type InjectedMark } from './injected-mark.ts';
import { draftOf } from '../build-pod/pod-draft.ts';
import { askForReport } from './report-request.ts';
import {
  signingParts,
  type SignerContainerSettings,
  type SigningParts,
  type PlannedSigning,
} from './signing-container.ts';
import { removeKpackSigner } from './remove-kpack-signer.ts';

/** What comes of injecting: the pod as it should be, or why that cannot be made of this one. */
export type Injection =
  | {
      readonly kind: 'pod';
      readonly pod: Pod;
      /** Names what its container is made from. */
      readonly mark: () => InjectedMark;
    }
  /** The container is there, made by another version, with other settings or from other facts. */
  | { readonly kind: 'differs'; readonly what: string }
  /** Somebody changed it since, or gave it what would steer it: another post cannot help. */
  | { readonly kind: 'tampered'; readonly what: string }
  /** A name, path or place of ours is taken. */
  | { readonly kind: 'collision'; readonly what: string };

/**
 * The pod with its signing container. Of a pod that has it already, the same pod: injecting twice
 * changes nothing. It appends, and touches what stands there in four places: completion's argument
 * and key volume of kpack's own signer, `-report` of a step that does not write a report, the file
 * that completion waits for where steps are standard containers, and annotations that are ours.
 */
export function injectSigner(
  pod: Pod,
  signing: PlannedSigning,
  placement: SignerContainerSettings,
  version: string,
): Injection {
  const { steps } = signing;
  const parts = signingParts(pod, signing, placement);
  const mark = () => markOf(signing, placement, version);
  const existing = allContainers(pod.spec).filter(({ name }) => name === SIGNING_CONTAINER);
  const injected = draftOf(pod, [steps.exportStep.name, steps.completion.name]);

  removeKpackSigner(injected);
  if (steps.report === 'possible') {
    const taken = askForReport(injected, steps.exportStep.name);
    if (taken !== undefined) return collision(taken);
  }
  const misplaced = standBeforeCompletion(injected, steps);
  if (existing.length === 0) {
    if (misplaced !== undefined) return collision(misplaced);
    const there = volumesByName(pod);
    // A pod that lost its signing container has them still.
    const missing = parts.volumes.filter((volume) => {
      const found = there.get(volume.name);
      return found === undefined || whyVolumeDiffers(volume, found) !== undefined;
    });
    const taken = missing.find(({ name }) => there.has(name));
    if (taken) return collision(`a volume named ${taken.name}`);
    (injected.spec.volumes ??= []).push(...missing);
    containersOf(injected, steps).push(parts.container);
    setAnnotation(injected, INJECTED, mark());
    delete injected.metadata?.annotations?.[SKIPPED];
  } else {
    const what = misplaced ?? whyNotOurs(pod, existing, parts, steps);
    if (what !== undefined) return { kind: changeOf(pod, mark()), what };
    const [signer] = existing;
    const tampering = signer && whyTampered(parts.container, signer);
    if (tampering !== undefined) return { kind: 'tampered', what: tampering };
  }
  return { kind: 'pod', pod: injected, mark };
}

/** The pod with the reason why it stays unsigned. */
export function markSkipped(pod: Pod, reason: string): Pod {
  const marked = unmarked(pod);
  setAnnotation(marked, SKIPPED, reason);
  return marked;
}

/** The pod without annotations that are ours, which somebody else wrote. */
export function unmarked(pod: Pod): Pod {
  const copy = draftOf(pod, []);
  for (const name of [INJECTED, SKIPPED]) delete copy.metadata?.annotations?.[name];
  return copy;
}

/** Makes completion wait for us, in place of the step before us; says what is in the way. */
function standBeforeCompletion({ spec }: Pod, steps: BuildSteps): string | undefined {
  if (!steps.waiting) return undefined;
  const { waitFile, doneFile } = steps.waiting.chain;
  const { completionWaitsFor } = steps.waiting;
  if (completionWaitsFor !== waitFile && completionWaitsFor !== doneFile) {
    return `a completion that waits for ${completionWaitsFor}, not for ${waitFile}`;
  }
  for (const container of spec.containers) {
    if (container.name === 'completion') setWaitFile(container, doneFile);
  }
  const others = allContainers(spec).filter(
    ({ name }) => name !== SIGNING_CONTAINER && name !== 'completion',
  );
  const writer = others.find(({ command = [], args = [] }) =>
    [...command, ...args].some((word) => word.includes(doneFile)),
  );
  return writer && `a container ${writer.name} with ${doneFile} in its command`;
}

/** Of two volumes of a name, the first. */
function volumesByName({ spec }: Pod): ReadonlyMap<string, V1Volume> {
  return new Map(spec.volumes?.toReversed().map((volume) => [volume.name, volume]));
}

/** Why the container that is there does not count as ours; undefined: it does. */
function whyNotOurs(
  pod: Pod,
  existing: readonly V1Container[],
  parts: SigningParts,
  steps: BuildSteps,
): string | undefined {
  const among = containersOf(pod, steps);
  const at = among.findIndex(({ name }) => name === SIGNING_CONTAINER);
  if (existing.length > 1 || at < 0)
    return `a container named ${SIGNING_CONTAINER} in another place`;
  const { name: stepName } = steps.exportStep;
  // Standard containers wait for one another, wherever they stand.
  if (!steps.waiting && at < among.findIndex(({ name }) => name === stepName)) {
    return `${SIGNING_CONTAINER} stands before ${stepName}`;
  }
  const there = volumesByName(pod);
  const volumes = parts.volumes.map((volume) => whyVolumeDiffers(volume, there.get(volume.name)));
  return [whyContainerDiffers(parts.container, among[at], pod.spec.restartPolicy), ...volumes].find(
    Boolean,
  );
}

/** The containers of a pod that ours belongs to. */
function containersOf({ spec }: Pod, { waiting }: BuildSteps): V1Container[] {
  return waiting ? spec.containers : (spec.initContainers ??= []);
}

function setAnnotation(pod: Pod, name: string, value: string): void {
  const metadata = (pod.metadata ??= {});
  (metadata.annotations ??= {})[name] = value;
}

function collision(what: string): Injection {
  return { kind: 'collision', what };
}
