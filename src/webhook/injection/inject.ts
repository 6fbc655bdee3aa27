import type { V1Container, V1Volume } from '@kubernetes/client-node';
import {
  INJECTED,
  REPORT_DIRECTORY,
  REPORT_FILE,
  REPORT_VOLUME,
  SIGNING_CONTAINER,
  SKIPPED,
} from '../../shared/names.ts';
import { allContainers, type Pod } from '../build-pod/build-pod.ts';
import type { BuildSteps } from '../build-pod/build-steps.ts';
import { programArguments, setProgramArguments, setWaitFile } from '../build-pod/build-waiter.ts';
import { whyContainerDiffers, whyTampered, whyVolumeDiffers } from './container-diff.ts';
import { changeOf, markOf, type InjectedMark } from './injected-mark.ts';
import { draftOf } from '../build-pod/pod-draft.ts';
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
  | {
      /**
       * `differs`: the container is there, made by another version, with other settings or from other
       * facts. `tampered`: somebody changed it since, or gave it what would steer it: another post cannot
       * help. `collision`: a name, path or place that signing needs is taken.
       */
      readonly kind: 'differs' | 'tampered' | 'collision';
      readonly what: string;
    };

/**
 * The pod with its signing container. Of a pod that has it already, the same pod: injecting twice
 * changes nothing. It appends, and changes what is there in four places. These are completion's argument
 * and key volume of kpack's own signer, and `-report` of a step that does not write a report. The others
 * are the file that completion waits for in standard containers, and annotations of kpack-notary.
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

/** The pod without annotations of kpack-notary that somebody else wrote. */
export function unmarked(pod: Pod): Pod {
  const copy = draftOf(pod, []);
  for (const name of [INJECTED, SKIPPED]) delete copy.metadata?.annotations?.[name];
  return copy;
}

/** Makes a step write report.toml into a volume that is added; says what is in the way. */
function askForReport({ spec }: Pod, stepName: string): string | undefined {
  const step = allContainers(spec).find(({ name }) => name === stepName);
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
  const words = programArguments(step);
  if (!words.some((word) => word.includes(REPORT_FILE))) {
    setProgramArguments(step, [`-report=${REPORT_FILE}`, ...words]);
  }
  return undefined;
}

/** Makes completion wait for the signer, in place of the step before it; says what is in the way. */
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

/** Why the container that is there does not count as the signer; undefined: it does. */
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

/** The list of containers that the signer belongs to. */
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
