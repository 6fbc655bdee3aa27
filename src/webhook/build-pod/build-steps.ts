import { dirname } from 'node:path/posix';
import type { V1Container, V1PodSpec, V1VolumeMount } from '@kubernetes/client-node';
import { REPORT_FILE, REPORT_VOLUME, SIGNING_CONTAINER } from '../../shared/names.ts';
import type { StepChain } from '../../shared/signer-flags.ts';
import { programArguments, programOf, readWaiterCall } from './build-waiter.ts';

/** The steps of a build that signing stands between. */
export interface BuildSteps {
  /** The step that pushes the image: `export`, or `rebase`. */
  readonly exportStep: V1Container;
  readonly completion: V1Container;
  readonly report: ReportWriting;
  /** Where the steps are standard containers: the signer's place among them. */
  readonly waiting: Waiting | undefined;
}

/** Why the steps cannot be found. */
export interface UnknownSteps {
  readonly unknown: string;
}

/** The signer's place in kpack's chain of waiting standard containers. */
export interface Waiting {
  readonly chain: StepChain;
  /** What completion waits for as the pod arrives. */
  readonly completionWaitsFor: string;
  /** Brings the files of the chain into a container. */
  readonly mount: V1VolumeMount;
}

/**
 * How the image comes to be reported: `written` by the step as kpack made it; `possible` when the
 * step takes `-report`; `unknown` when its lifecycle may not know that argument.
 */
export type ReportWriting = 'written' | 'possible' | 'unknown';

/** Steps that push the image, each with the program that kpack has it run. */
const EXPORT_PROGRAM = new Map([
  ['export', /\/exporter$/],
  // Of old versions the image decides.
  ['rebase', /^$|\/rebase$/],
]);
const STEPS_BEFORE = ['prepare', 'analyze', 'detect', 'restore', 'build'];
/** The init container that brings the build-waiter to steps that are standard containers. */
const WAITER_STEP = 'pre-start';
/** Platform API that brought `-report`. */
const REPORT_API = [0, 4] as const;

/** Finds the steps of a build; what does not stand as kpack makes it is not guessed at. */
export function readBuildSteps(spec: V1PodSpec): BuildSteps | UnknownSteps {
  const init = spec.initContainers ?? [];
  const [exportStep, another] = [...init, ...spec.containers].filter(isExport);
  const completion = spec.containers.find(({ name }) => name === 'completion');
  if (!exportStep || !completion) {
    return { unknown: 'the pod has no export or rebase step before completion' };
  }
  const { name } = exportStep;
  if (another) return { unknown: `both ${name} and ${another.name} would push an image` };
  const program = programOf(exportStep) ?? '';
  if (!EXPORT_PROGRAM.get(name)?.test(program)) {
    return { unknown: `container ${name} does not run what kpack runs there, but ${program}` };
  }
  // https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
  const sidecar = [...init, ...spec.containers].find(
    (each) =>
      (isStep(each) || isExport(each) || isWaiterStep(each)) && each.restartPolicy === 'Always',
  );
  if (sidecar) {
    return {
      unknown: `${sidecar.name} has restartPolicy Always: its end is not waited for`,
    };
  }
  const steps = { exportStep, completion, report: reportWriting(spec, exportStep) };
  if (spec.containers.includes(exportStep)) {
    const initStep = init.find(isStep);
    if (initStep) return { unknown: `${initStep.name} is an init container, and ${name} is not` };
    const waiting = readWaiting(exportStep, completion);
    return typeof waiting === 'string' ? { unknown: waiting } : { ...steps, waiting };
  }
  const standardStep = spec.containers.find(isStep);
  if (standardStep)
    return { unknown: `${name} is an init container, and ${standardStep.name} is not` };
  const stepAfter = init.slice(init.indexOf(exportStep)).find(isStep);
  if (stepAfter) return { unknown: `${stepAfter.name} runs after ${name}` };
  return { ...steps, waiting: undefined };
}

function isExport({ name }: V1Container): boolean {
  return EXPORT_PROGRAM.has(name);
}

function isStep({ name }: V1Container): boolean {
  return STEPS_BEFORE.includes(name);
}

function isWaiterStep({ name }: V1Container): boolean {
  return name === WAITER_STEP;
}

/** The signer's place before completion, or why there is none. */
function readWaiting(step: V1Container, completion: V1Container): Waiting | string {
  const [first, second] = [readWaiterCall(step), readWaiterCall(completion)];
  const unclear = [first ? undefined : step.name, second ? undefined : completion.name].find(
    Boolean,
  );
  if (!first || !second) return `${unclear} does not call the build-waiter as kpack does`;
  const { doneFile: waitFile, errorFile } = first;
  if (second.errorFile !== errorFile) {
    return `${step.name} and ${completion.name} have different error files`;
  }
  const directory = dirname(waitFile);
  const mount = mountOf(step, directory);
  if (!mount || dirname(errorFile) !== directory || !sameMount(mount, completion)) {
    return `${step.name} and ${completion.name} share no volume at ${directory}`;
  }
  return {
    chain: { waitFile, doneFile: `${directory}/${SIGNING_CONTAINER}`, errorFile },
    completionWaitsFor: second.waitFile,
    mount: { name: mount.name, mountPath: directory },
  };
}

function mountOf({ volumeMounts }: V1Container, path: string): V1VolumeMount | undefined {
  return volumeMounts?.find(
    ({ mountPath, subPath, subPathExpr }) => mountPath === path && !subPath && !subPathExpr,
  );
}

function sameMount({ name, mountPath }: V1VolumeMount, container: V1Container): boolean {
  return mountOf(container, mountPath)?.name === name;
}

function reportWriting({ volumes }: V1PodSpec, step: V1Container): ReportWriting {
  const hasVolume = volumes?.some(({ name }) => name === REPORT_VOLUME) ?? false;
  const isMounted = step.volumeMounts?.some(({ name }) => name === REPORT_VOLUME) ?? false;
  // As one argument, or as two.
  const isAsked = programArguments(step).some((word) => word.includes(REPORT_FILE));
  if (hasVolume && isMounted && isAsked) return 'written';
  const api = step.env?.find(({ name }) => name === 'CNB_PLATFORM_API')?.value;
  return knowsReports(api) ? 'possible' : 'unknown';
}

function knowsReports(api: string | undefined): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)$/.exec(api ?? '') ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) > REPORT_API[0] || Number(minor) >= REPORT_API[1];
}
