import { INJECTED } from '../../shared/names.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import type { Pod } from '../build-pod/build-pod.ts';
import type { SignerContainerSettings, PlannedSigning } from './signing-container.ts';

/** What the annotation `injected` says: `<version>+<hash>`. */
export type InjectedMark = string & { readonly brand: 'InjectedMark' };

/** Enough that no two settings of one cluster have the same. */
const HASH_LENGTH = 16;

/**
 * Names what the signing container is made from, beside the pod itself: the version of the webhook,
 * its settings, and what the cluster says (configuration, tags, credentials). Two replicas that write
 * the same mark make the same container of the same pod.
 */
export function markOf(
  { config, tags, credentials }: PlannedSigning,
  { image, cpu, memory }: SignerContainerSettings,
  version: string,
): InjectedMark {
  const settings = JSON.stringify({ image, cpu, memory, config, tags, credentials });
  const hash = sha256Hex(settings).slice(0, HASH_LENGTH);
  return `${version}+${hash}` as InjectedMark;
}

/**
 * How the signing container of a pod came to differ. Where the pod went through a
 * replica that made it from the same, only somebody else can have changed it since, and the next post
 * would end no better. It decides how a pod is refused, never that it is allowed.
 */
export function changeOf({ metadata }: Pod, mark: InjectedMark): 'tampered' | 'differs' {
  return metadata?.annotations?.[INJECTED] === mark ? 'tampered' : 'differs';
}
