import { KPACK_KEY_VOLUME } from '../../shared/names.ts';
import type { Pod } from '../build-pod/build-pod.ts';
import {
  hasReadableCommand,
  programArguments,
  setProgramArguments,
} from '../build-pod/build-waiter.ts';
import { draftOf } from '../build-pod/pod-draft.ts';

const COMPLETION = 'completion';
const KPACK_SIGNER_FLAG = /^--?notary-v1-url(=|$)/;

/**
 * Why nobody can say with certainty what kpack's own signer would be told: its argument stands there
 * twice, so that one of them may be text that a developer wrote. Undefined: it is certain.
 */
export function whyKpackSignerUnclear(pod: Pod): string | undefined {
  const completion = completionOf(pod);
  if (!completion) return undefined;
  if (!hasReadableCommand(completion)) {
    return `${COMPLETION} does not call the build-waiter as kpack does`;
  }
  const count = programArguments(completion).filter((word) => KPACK_SIGNER_FLAG.test(word)).length;
  return count > 1 ? `${COMPLETION} has ${count} arguments -notary-v1-url` : undefined;
}

/** What of kpack's own signer stands in a pod, as a sentence; undefined: nothing. */
export function kpackSignerIn(pod: Pod): string | undefined {
  const completion = completionOf(pod);
  if (completion && programArguments(completion).some((word) => KPACK_SIGNER_FLAG.test(word))) {
    return `${COMPLETION} still has the argument -notary-v1-url`;
  }
  const keys = pod.spec.volumes?.find(({ name }) => name === KPACK_KEY_VOLUME)?.secret;
  return keys && `volume ${KPACK_KEY_VOLUME} still holds Secret ${keys.secretName ?? ''}`;
}

/** The pod as kpack makes it without a notary section; the very same pod where it is so already. */
export function withoutKpackSigner(pod: Pod): Pod {
  if (kpackSignerIn(pod) === undefined) return pod;
  const draft = draftOf(pod, [COMPLETION]);
  removeKpackSigner(draft);
  return draft;
}

/** Makes of a draft of a pod what kpack would have made of it without a notary section. */
export function removeKpackSigner(draft: Pod): void {
  const completion = completionOf(draft);
  const words = completion ? [...programArguments(completion)] : [];
  const at = words.findIndex((word) => KPACK_SIGNER_FLAG.test(word));
  if (completion && at >= 0) {
    words.splice(at, words[at]?.includes('=') ? 1 : 2);
    setProgramArguments(completion, words);
  }
  const volumes = draft.spec.volumes ?? [];
  const place = volumes.findIndex(({ name }) => name === KPACK_KEY_VOLUME);
  const { secret, ...others } = volumes[place] ?? { name: '' };
  if (secret) volumes[place] = { ...others, emptyDir: {} };
}

function completionOf({ spec }: Pod) {
  return spec.containers.find(({ name }) => name === COMPLETION);
}
