import { REPORT_DIRECTORY, REPORT_FILE, REPORT_VOLUME } from '../../shared/names.ts';
import { allContainers, type Pod } from '../build-pod/build-pod.ts';
import { programArguments, setProgramArguments } from '../build-pod/build-waiter.ts';

/** Makes a step write report.toml into a volume that we add; says what is in the way. */
export function askForReport({ spec }: Pod, stepName: string): string | undefined {
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
