import { isDeepStrictEqual } from 'node:util';
import type { V1Container, V1Volume } from '@kubernetes/client-node';
import { SIGNING_CONTAINER } from '../../shared/names.ts';
import { hidesProgram } from './mount-path.ts';
import { amongMounts, normalContainer, normalVolume, whyDifferent } from './normal-form.ts';
import { PathSet } from './path-set.ts';
import { hasSameDigest, isPinned } from './same-image.ts';

/** Variables that load code into the signer or change what it does; what is left out is not Node's. */
const STEERING =
  /^(?:KPACK_NOTARY_|LD_|OPENSSL_|PATH$|NODE_(?!(?:EXTRA_CA_CERTS|ENV|NAME|IP|HOST)$))/;

/**
 * Why a container is no longer the one that the webhook would make now; undefined: it still is. It
 * may be confined further, say defaults aloud, and have variables and mounts beside its own.
 *
 * @param podRestartPolicy what holds for a container that states none
 */
export function whyContainerDiffers(
  ours: V1Container,
  theirs: V1Container | undefined,
  podRestartPolicy: string | undefined,
): string | undefined {
  if (!theirs) return `${SIGNING_CONTAINER} is missing`;
  // As mostly: then the rules need no look.
  if (isDeepStrictEqual(ours, theirs)) return undefined;
  if (!isSameImage(ours.image ?? '', theirs.image ?? '')) {
    return `${SIGNING_CONTAINER}.image has been changed`;
  }
  const [left, right] = [ours, theirs].map((each) => normalContainer(each, podRestartPolicy));
  const isThere = amongMounts(theirs.volumeMounts);
  const lost = ours.volumeMounts?.find((mount) => !isThere(mount));
  return (
    whyDifferent(left, right, SIGNING_CONTAINER) ??
    (lost && `${SIGNING_CONTAINER} has lost its mount ${lost.mountPath}`)
  );
}

/** Without a digest in `--signer-image` nobody can tell whether an image from elsewhere is the same. */
function isSameImage(ours: string, theirs: string): boolean {
  return isPinned(ours, theirs) || hasSameDigest(ours, theirs);
}

/**
 * What a container that does not differ has got from others that would steer it; undefined: nothing.
 * No version of the webhook gives it such things, so that posting the pod again brings them again.
 */
export function whyTampered(ours: V1Container, theirs: V1Container): string | undefined {
  if (isDeepStrictEqual(ours, theirs)) return undefined;
  if (theirs.securityContext?.runAsUser === 0) return `${SIGNING_CONTAINER} is to run as root`;
  const variable = theirs.env?.find(({ name }) => STEERING.test(name));
  if (variable) return `${SIGNING_CONTAINER} has been given the variable ${variable.name}`;
  const [source] = theirs.envFrom ?? [];
  if (source) {
    const { name } = source.configMapRef ?? source.secretRef ?? {};
    return `${SIGNING_CONTAINER} has been given all variables of ${name}`;
  }
  const { volumeMounts: own = [] } = ours;
  const isOwn = amongMounts(own);
  const ownPaths = new PathSet(own.map(({ mountPath }) => mountPath));
  const over = theirs.volumeMounts?.find(
    (mount) =>
      !isOwn(mount) && (hidesProgram(mount.mountPath) || ownPaths.contains(mount.mountPath)),
  );
  return over && `${SIGNING_CONTAINER} has a mount over its own at ${over.mountPath}`;
}

/** Why a volume is no longer the one that the webhook would make now; undefined: it still is. */
export function whyVolumeDiffers(ours: V1Volume, theirs: V1Volume | undefined): string | undefined {
  if (!theirs) return `volume ${ours.name} is missing`;
  if (isDeepStrictEqual(ours, theirs)) return undefined;
  return whyDifferent(normalVolume(ours, ours), normalVolume(theirs, ours), `volume ${ours.name}`);
}
