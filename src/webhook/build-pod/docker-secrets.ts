import type { V1Container } from '@kubernetes/client-node';
import { hostOf } from '../../shared/notary-url.ts';
import { cut } from '../../shared/shown-value.ts';
import { allContainers, type Pod } from './build-pod.ts';
import { asProgramArguments, programArguments } from './build-waiter.ts';

/** A Secret with registry credentials that kpack has mounted for its own steps. */
export interface DockerSecret {
  /** The registry of a basic-auth Secret; a docker configuration names registries itself. */
  readonly host: string | undefined;
  /** The volume that holds it; its name depends on the version of kpack. */
  readonly volume: string;
  readonly mountPath: string;
}

const DOCKER_FLAG = /^--?(?:(basic-docker)=([^=]+)=(.+)|docker(?:config|cfg)=([^=]+))$/;
const ANY_FLAG = /^--?[a-z][a-z-]*=/;
const DIRECTORY = '/var/build-secrets';

/**
 * The docker Secrets of a pod, in the order in which kpack's own arguments name them: those of
 * `prepare` and `rebase`, each at its place. What else a command line holds may be text that a
 * developer wrote (cosign annotations, images, tags), and is passed over.
 *
 * @param tags the tags of the Build, which end the command line of `rebase`
 */
export function dockerSecrets(pod: Pod, tags: readonly string[]): readonly DockerSecret[] {
  const holding = new Map(pod.spec.volumes?.map(({ name, secret }) => [name, secret?.secretName]));
  const secrets = new Map<string, DockerSecret>();
  for (const { step, words } of flagsOfSteps(pod, tags)) {
    const volumeAt = new Map(step.volumeMounts?.map(({ mountPath, name }) => [mountPath, name]));
    for (const word of words) {
      const [, basic, basicSecret, registry = '', docker] = DOCKER_FLAG.exec(word) ?? [];
      const secretName = basicSecret ?? docker;
      const host = basic === undefined ? undefined : hostOf(registry);
      if (secretName === undefined || (basic !== undefined && host === undefined)) continue;
      const mountPath = `${DIRECTORY}/${secretName}`;
      const volume = volumeAt.get(mountPath);
      if (volume !== undefined && holding.get(volume) === secretName) {
        secrets.set(`${host}=${secretName}`, { host, volume, mountPath });
      }
    }
  }
  return [...secrets.values()];
}

/**
 * Why nobody can say with certainty which docker Secrets kpack means: `completion` has one that the
 * steps before it lack, or `rebase` lacks the tags that end its own. Undefined: it is certain.
 */
export function whyDockerSecretsUnclear(pod: Pod, tags: readonly string[]): string | undefined {
  const rebase = allContainers(pod.spec).find(isRebase);
  if (rebase && tailOf(rebase, tags) === undefined) {
    return 'the arguments of rebase lack the tags of the Build';
  }
  const known = new Set(flagsOfSteps(pod, tags).flatMap(({ words }) => words));
  const completion = pod.spec.containers.find(({ name }) => name === 'completion');
  const extraFlag = (completion ? programArguments(completion) : []).find(
    (word) => DOCKER_FLAG.test(word) && !known.has(word),
  );
  return (
    extraFlag && `completion has the argument ${cut(extraFlag)}, which the steps before it lack`
  );
}

/** The steps that kpack gives docker Secrets, each with the flags that kpack itself wrote. */
function flagsOfSteps({ spec }: Pod, tags: readonly string[]) {
  return allContainers(spec).flatMap((step) => {
    if (isRebase(step)) return { step, words: tailOf(step, tags) ?? [] };
    return step.name === 'prepare' ? { step, words: headOf(step) } : [];
  });
}

function isRebase({ name }: V1Container): boolean {
  return name === 'rebase';
}

/** Of `prepare` all arguments are flags of Secrets; old versions have a launcher before them. */
function headOf(step: V1Container): readonly string[] {
  const words = programArguments(step);
  const flags = words[0] === '--' ? words.slice(2) : words;
  const end = flags.findIndex((word) => !ANY_FLAG.test(word));
  return end < 0 ? flags : flags.slice(0, end);
}

/**
 * Of `rebase` they stand between the path of the report and the tags. Images before them and tags
 * are developers' texts: hence from the tags on backwards, which the Build knows. Undefined: the tags
 * are not there.
 */
function tailOf(step: V1Container, tags: readonly string[]): readonly string[] | undefined {
  const words = programArguments(step);
  const sought = asProgramArguments(step, tags);
  // Others may have added words behind the last tag.
  const end = words.lastIndexOf(sought.at(-1) ?? '') - sought.length + 1;
  if (end < 0 || sought.some((word, i) => words[end + i] !== word)) return undefined;
  const before = words.slice(0, end);
  return before.slice(before.findLastIndex((word) => !ANY_FLAG.test(word)) + 1);
}
