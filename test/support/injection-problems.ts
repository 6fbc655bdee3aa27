/** What is wrong with a stored pod that should have been signed, told without our own code. */
import { changed, type PodManifest } from './build-fixture.ts';
import { waitingForOurs, withoutOurs } from './pod-changes.ts';
import { restrictedViolations } from './pod-rules.ts';
import { allContainers, container, initContainers, SIGNER, TOKEN_PATH } from './pod.ts';

/**
 * @param stored the pod as it was admitted
 * @param reference the same pod as it is admitted where nobody signs
 * @param secretName the Secret with the signing key
 */
export function injectionProblems(
  stored: PodManifest,
  reference: PodManifest,
  secretName: string,
): string[] {
  return [
    ...placeProblems(stored),
    ...keyProblems(stored, secretName),
    ...tokenProblems(stored),
    ...restrictedViolations(stored, container(stored, SIGNER)).map((rule) => `restricted: ${rule}`),
    ...(JSON.stringify(stored.spec).includes('notary-v1-url') ? ["kpack's signer is left"] : []),
    ...(comparable(withoutOurs(stored)) === comparable(waitingForOurs(reference))
      ? []
      : ['something else was changed']),
  ];
}

/** What is wrong with the place of the signing container. */
export function placeProblems(pod: PodManifest): string[] {
  const names = allContainers(pod).map(({ name }) => name);
  if (names.filter((name) => name === SIGNER).length !== 1) return [`containers: ${names.join()}`];
  const signer = container(pod, SIGNER);
  const step = allContainers(pod).find(({ name }) => /^(?:export|rebase)$/.test(name));
  if (!step) return ['no step that exports'];
  const init = initContainers(pod);
  if (init.includes(step)) {
    const isAfter = init.indexOf(signer) > init.indexOf(step);
    return isAfter && signer.restartPolicy !== 'Always' ? [] : ['does not run after the export'];
  }
  const done = flag(signer.args, 'done-file');
  const writers = pod.spec.containers.filter(({ args }) => flag(args, 'done-file') === done);
  const isChained =
    pod.spec.containers.includes(signer) &&
    done !== undefined &&
    flag(signer.args, 'wait-file') === flag(step.args, 'done-file') &&
    flag(container(pod, 'completion').args, 'wait-file') === done &&
    writers.length === 1;
  return isChained ? [] : ['is not in the chain between export and completion'];
}

/** A flag with one dash or two. */
function flag(args: readonly string[] | undefined, name: string): string | undefined {
  return args?.flatMap((arg) => new RegExp(`^--?${name}=(.*)$`).exec(arg)?.[1] ?? [])[0];
}

/** Who else holds the signing Secret. */
export function keyProblems(pod: PodManifest, secretName: string): string[] {
  const volumes = (pod.spec.volumes ?? [])
    .filter((volume) => JSON.stringify(volume).includes(`"${secretName}"`))
    .map(({ name }) => name);
  const readers = allContainers(pod)
    .filter(({ volumeMounts }) => volumeMounts?.some(({ name }) => volumes.includes(name)))
    .map(({ name }) => name);
  const isNamed = allContainers(pod).some(({ env, envFrom }) =>
    JSON.stringify([env, envFrom]).includes(`"${secretName}"`),
  );
  const isOurs = volumes.length === 1 && readers.join() === SIGNER && !isNamed;
  return isOurs ? [] : [`${secretName}: volumes ${volumes.join()} read by ${readers.join()}`];
}

function tokenProblems(pod: PodManifest): string[] {
  const { volumeMounts = [] } = container(pod, SIGNER);
  const tokens = (pod.spec.volumes ?? [])
    .filter((volume) => JSON.stringify(volume).includes('serviceAccountToken'))
    .map(({ name }) => name);
  const isHeld = volumeMounts.some(({ name }) => tokens.includes(name));
  const isTaken = volumeMounts.some(({ mountPath }) => mountPath === TOKEN_PATH);
  return isHeld || !isTaken || tokens.length === 0 ? ['a service account token'] : [];
}

/** What of a pod is the same whenever and wherever it is posted. */
function comparable(pod: PodManifest): string {
  const { spec, metadata } = changed(pod, ({ spec }) => {
    spec.volumes?.sort((a, b) => a.name.localeCompare(b.name));
    spec.initContainers ??= [];
  });
  const sorted = (map = {}) => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  const meta = [sorted(metadata.labels), sorted(metadata.annotations)];
  return JSON.stringify([spec, ...meta]).replace(/kube-api-access-\w+/g, 'token');
}
