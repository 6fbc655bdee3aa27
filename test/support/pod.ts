/** Parts of a pod, found by name. */
import type { PodManifest } from './build-fixture.ts';

export type Container = NonNullable<PodManifest['spec']['initContainers']>[number];

export const SIGNER = 'notary-sign';
export const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
export const REPORT = '/var/report/report.toml';

export function initContainers({ spec }: PodManifest): Container[] {
  return spec.initContainers ?? [];
}

export function allContainers(pod: PodManifest): Container[] {
  return [...initContainers(pod), ...pod.spec.containers];
}

/** @throws Error where there is none */
export function container(pod: PodManifest, name: string): Container {
  const found = allContainers(pod).find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no container ${name}`);
  return found;
}

/** @throws Error where there is none */
export function volume({ spec }: PodManifest, name: string) {
  const found = spec.volumes?.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no volume ${name}`);
  return found;
}

export function mountAt({ volumeMounts }: Container, path: string) {
  return volumeMounts?.find(({ mountPath }) => mountPath === path);
}

/** The flags of the signing container: values by name, in order. */
export function signerFlags(pod: PodManifest): Record<string, string[]> {
  const flags: Record<string, string[]> = {};
  for (const arg of container(pod, SIGNER).args ?? []) {
    const [, name = arg, value = ''] = /^--([a-z0-9-]+)=(.*)$/s.exec(arg) ?? [];
    (flags[name] ??= []).push(value);
  }
  return flags;
}

/** The Secret that holds the signing key. */
export const keyOf = ({ spec }: PodManifest) =>
  spec.volumes?.find(({ name }) => name === 'notary-sign-key')?.secret?.secretName;

/** The Secret that holds the v2 signing key. */
export const v2KeyOf = ({ spec }: PodManifest) =>
  spec.volumes?.find(({ name }) => name === 'notary-sign-v2-key')?.secret?.secretName;

/** Changes the security context of a container. */
export function loosen(
  container: Container,
  change: NonNullable<Container['securityContext']>,
): void {
  Object.assign((container.securityContext ??= {}), change);
}

/**
 * How kpack has a step run its program: as the container's own, or by the build-waiter, which joins
 * program and arguments with blanks.
 *
 * @param step `before` is the name of the step that a waiting one waits for; undefined: it is the first
 */
export function stepCommand(step: {
  readonly isWaiting: boolean;
  readonly name: string;
  readonly before: string | undefined;
  readonly program: string;
  readonly words: readonly string[];
}): Pick<Container, 'command' | 'args'> {
  const { isWaiting, name, before, program, words } = step;
  if (!isWaiting) return { command: [program], args: [...words] };
  const waitFile = before === undefined ? '/downward/sidecars-ready' : `/buildWait/${before}`;
  return {
    command: ['/buildWait/build-waiter'],
    args: [
      '-mode=wait',
      `-done-file=/buildWait/${name}`,
      '-error-file=/buildWait/error',
      `-execute=${[program, ...words].join(' ')}`,
      `-wait-file=${waitFile}`,
    ],
  };
}
