import { KPACK_KEY_VOLUME } from '../shared/names.ts';
import type { Pod } from './build-pod.ts';
import { programArguments, setProgramArguments } from './build-waiter.ts';

const KPACK_SIGNER_FLAG = /^--?notary-v1-url(=|$)/;

/** Makes of a pod what kpack would have made of it without a notary section. */
export function takeOverFromKpack({ spec }: Pod): void {
  const completion = spec.containers.find(({ name }) => name === 'completion');
  const words = completion ? [...programArguments(completion)] : [];
  const at = words.findIndex((word) => KPACK_SIGNER_FLAG.test(word));
  if (completion && at >= 0) {
    words.splice(at, words[at]?.includes('=') ? 1 : 2);
    setProgramArguments(completion, words);
  }
  const volumes = spec.volumes ?? [];
  const place = volumes.findIndex(({ name }) => name === KPACK_KEY_VOLUME);
  const { secret, ...others } = volumes[place] ?? { name: '' };
  if (secret) volumes[place] = { ...others, emptyDir: {} };
}
