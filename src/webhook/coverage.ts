import type { V1Container, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import { SIGNER_COMMAND, SIGNING_CONTAINER } from '../shared/names.ts';
import { sameQuantity } from './quantity.ts';

/**
 * What of our container other admission plug-ins may add or change: defaults of the API server, the
 * policy of AlwaysPullImages, defaults of a LimitRange, and variables and mounts of neighbours as
 * far as they do not steer the signer.
 */
const FREE_MEMBERS = [
  'imagePullPolicy',
  'resizePolicy',
  'env',
  'volumeMounts',
  'resources',
] as const;

/** Variables that load code into the signer or change what it does. */
const STEERING = /^(?:KPACK_NOTARY_|LD_|OPENSSL_|PATH$|NODE_(?!EXTRA_CA_CERTS$))/;
/** Paths of the image that hold the program. */
const PROGRAM_DIRECTORY = SIGNER_COMMAND[1].slice(0, SIGNER_COMMAND[1].lastIndexOf('/'));

/** Why a container is no longer the one that we would make now; undefined: it still is. */
export function whyContainerDiffers(
  ours: V1Container,
  theirs: V1Container | undefined,
): string | undefined {
  if (!theirs) return `${SIGNING_CONTAINER} is missing`;
  const difference = whyDifferent(closed(ours), closed(theirs), SIGNING_CONTAINER);
  if (difference !== undefined) return difference;
  for (const kind of ['requests', 'limits'] as const) {
    for (const [name, quantity] of Object.entries(ours.resources?.[kind] ?? {})) {
      if (sameQuantity(quantity, theirs.resources?.[kind]?.[name])) continue;
      return `${SIGNING_CONTAINER}.resources.${kind}.${name} has been changed`;
    }
  }
  const variable = theirs.env?.find(({ name }) => STEERING.test(name));
  if (variable) return `${SIGNING_CONTAINER} has been given the variable ${variable.name}`;
  return whyMountsDiffer(ours.volumeMounts ?? [], theirs.volumeMounts ?? []);
}

/** Why a volume is no longer the one that we would make now; undefined: it still is. */
export function whyVolumeDiffers(ours: V1Volume, theirs: V1Volume | undefined): string | undefined {
  return whyDifferent(ours, theirs, `volume ${ours.name}`);
}

function whyMountsDiffer(
  ours: readonly V1VolumeMount[],
  theirs: readonly V1VolumeMount[],
): string | undefined {
  const isOurs = (mount: V1VolumeMount) =>
    ours.some((own) => whyDifferent(own, mount, '') === undefined);
  const lost = ours.find(
    (own) => !theirs.some((mount) => whyDifferent(own, mount, '') === undefined),
  );
  if (lost) return `${SIGNING_CONTAINER} has lost its mount ${lost.mountPath}`;
  const taken = [PROGRAM_DIRECTORY, ...ours.map(({ mountPath }) => mountPath)];
  const over = theirs.find(
    (mount) =>
      !isOurs(mount) &&
      taken.some((path) => mount.mountPath === path || mount.mountPath.startsWith(`${path}/`)),
  );
  return over && `${SIGNING_CONTAINER} has a mount over ours at ${over.mountPath}`;
}

function closed(container: V1Container): object {
  const members = Object.entries(container).filter(
    ([name]) => !FREE_MEMBERS.some((free) => free === name),
  );
  return Object.fromEntries(members);
}

/** Where two values of plain JSON differ. */
function whyDifferent(ours: unknown, theirs: unknown, path: string): string | undefined {
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null) {
    return ours === theirs ? undefined : `${path} has been changed`;
  }
  const [left, right] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const difference = whyDifferent(left.get(name), right.get(name), `${path}.${name}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}
