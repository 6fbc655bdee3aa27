import type { V1Container, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import { SIGNING_CONTAINER } from '../shared/names.ts';
import { hidesProgram } from './mount-path.ts';
import { PathSet } from './path-set.ts';

/**
 * What of our container other admission plug-ins may add or change: defaults of the API server, the
 * policy of AlwaysPullImages, what LimitRanges and autoscalers think right, and variables and
 * mounts of neighbours as far as they do not steer the signer.
 */
const FREE_MEMBERS = [
  'imagePullPolicy',
  'resizePolicy',
  'env',
  'envFrom',
  'volumeMounts',
  'resources',
];
/** The same of its security context: what confines it further, or belongs to the node. */
const FREE_CONTEXT = ['runAsGroup', 'seLinuxOptions', 'appArmorProfile'];

/** Variables that load code into the signer or change what it does; what is left out is not Node's. */
const STEERING =
  /^(?:KPACK_NOTARY_|LD_|OPENSSL_|PATH$|NODE_(?!(?:EXTRA_CA_CERTS|ENV|NAME|IP|HOST)$))/;

/** A mode that serves with and without an fsGroup, which may come after us. */
const WORLD_READABLE = 0o444;

/** Why a container is no longer the one that we would make now; undefined: it still is. */
export function whyContainerDiffers(
  ours: V1Container,
  theirs: V1Container | undefined,
): string | undefined {
  if (!theirs) return `${SIGNING_CONTAINER} is missing`;
  const isThere = among(theirs.volumeMounts);
  const lost = ours.volumeMounts?.find((mount) => !isThere(mount));
  return (
    whyDifferent(closed(ours), closed(theirs), SIGNING_CONTAINER) ??
    (lost && `${SIGNING_CONTAINER} has lost its mount ${lost.mountPath}`)
  );
}

/**
 * What a container that does not differ has got from others that would steer it; undefined: nothing.
 * No version of ours gives it such things, so that posting the pod again brings them again.
 */
export function whyTampered(ours: V1Container, theirs: V1Container): string | undefined {
  if (theirs.securityContext?.runAsUser === 0) return `${SIGNING_CONTAINER} is to run as root`;
  const variable = theirs.env?.find(({ name }) => STEERING.test(name));
  if (variable) return `${SIGNING_CONTAINER} has been given the variable ${variable.name}`;
  const [source] = theirs.envFrom ?? [];
  if (source) {
    const { name } = source.configMapRef ?? source.secretRef ?? {};
    return `${SIGNING_CONTAINER} has been given all variables of ${name}`;
  }
  const { volumeMounts: own = [] } = ours;
  const isOwn = among(own);
  const ownPaths = new PathSet(own.map(({ mountPath }) => mountPath));
  const over = theirs.volumeMounts?.find(
    (mount) =>
      !isOwn(mount) && (hidesProgram(mount.mountPath) || ownPaths.contains(mount.mountPath)),
  );
  return over && `${SIGNING_CONTAINER} has a mount over ours at ${over.mountPath}`;
}

/** Why a volume is no longer the one that we would make now; undefined: it still is. */
export function whyVolumeDiffers(ours: V1Volume, theirs: V1Volume | undefined): string | undefined {
  const free = theirs?.secret?.defaultMode === WORLD_READABLE ? ['defaultMode'] : [];
  return whyDifferent(
    volumeWithout(ours, free),
    theirs && volumeWithout(theirs, free),
    `volume ${ours.name}`,
  );
}

function volumeWithout({ secret = {}, ...volume }: V1Volume, names: readonly string[]): object {
  return { ...volume, secret: without(secret, names) };
}

/** Whether a mount does the same as one of these. */
function among(mounts: readonly V1VolumeMount[] = []): (mount: V1VolumeMount) => boolean {
  // Two of the same members have the same text.
  const keyOf = (mount: V1VolumeMount) => JSON.stringify(Object.entries(mount).sort());
  const keys = new Set(mounts.map(keyOf));
  return (mount) => keys.has(keyOf(mount));
}

/** The members that have to be as we made them. */
function closed({ securityContext = {}, image = '', ...container }: V1Container): object {
  const { runAsUser, capabilities, ...context } = securityContext;
  return {
    ...without(container, FREE_MEMBERS),
    // With a digest it is the same image wherever policies have it pulled from.
    image: image.slice(image.indexOf('@') + 1),
    securityContext: {
      // Which user that is not root, the pod may say, or another plug-in.
      ...without(context, FREE_CONTEXT),
      // OpenShift names some to be dropped beside all.
      capabilities: capabilities?.drop?.includes('ALL')
        ? without(capabilities, ['drop'])
        : capabilities,
    },
  };
}

function without(object: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
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
