import type { V1Container, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import {
  CA_FILE,
  CREDENTIALS_VOLUME_PREFIX,
  MOUNT,
  REPORT_DIRECTORY,
  REPORT_FILE,
  REPORT_VOLUME,
  SERVICE_ACCOUNT_TOKEN_DIRECTORY,
  SIGNER_COMMAND,
  SIGNING_CONTAINER,
  TERMINATION_LOG,
  VOLUME,
} from '../../shared/names.ts';
import {
  formatSignerFlags,
  type SignatureSettings,
  type V2Settings,
} from '../../shared/signer-flags.ts';
import type { Pod } from '../build-pod/build-pod.ts';
import { dockerSecrets, type DockerSecret } from '../build-pod/docker-secrets.ts';
import { signerResources, type SignerResources } from './signer-resources.ts';
import type { NotaryConfig, V2Config } from '../config/notary-config.ts';
import type { BuildSteps } from '../build-pod/build-steps.ts';
import type { LimitRangeBounds } from './limit-range.ts';
import type { HostSecret } from '../config/credentials-secret.ts';

/** What the operator of the webhook decides about the signing container. */
export interface SignerContainerSettings extends SignerResources {
  readonly image: string;
}

/** The signing container, and the volumes that it alone mounts. */
export type SigningParts = ReturnType<typeof signingParts>;

/** The user of the signer's image, for pods that name none or root. */
const NON_ROOT_USER = 65532;
const GROUP_READABLE = 0o440;
const WORLD_READABLE = 0o444;

/**
 * The container that signs what a pod builds, and its volumes: a function of pod, plan and
 * placement alone, so that every replica makes the same.
 */
export function signingParts(
  pod: Pod,
  { steps, config, tags, credentials, bounds }: PlannedSigning,
  placement: SignerContainerSettings,
): { readonly container: V1Container; readonly volumes: readonly V1Volume[] } {
  const { waiting } = steps;
  const hasReport = steps.report !== 'unknown';
  const secrets = ownSecrets(config, credentials);
  // Whether a report will lack the size cannot be known yet, nor whom a token server will believe.
  const registrySecrets = dockerSecrets(pod, tags);
  const settings = {
    source: hasReport ? { report: REPORT_FILE } : { tags },
    signatures: signaturesOf(config, credentials),
    registryCredentials: registrySecrets.map(({ host, mountPath }) => ({
      host,
      directory: mountPath,
    })),
    registryCaFiles:
      config.registryCaSecretName === undefined ? [] : [`${MOUNT.registryCa}/${CA_FILE}`],
    allowedTags: tags,
    onFailure: config.onFailure,
  };
  // Without an fsGroup the files belong to root, and the signer's user is neither root nor in its group.
  const defaultMode =
    pod.spec.securityContext?.fsGroup === undefined ? WORLD_READABLE : GROUP_READABLE;
  return {
    container: {
      name: SIGNING_CONTAINER,
      image: placement.image,
      imagePullPolicy: 'IfNotPresent',
      command: [...SIGNER_COMMAND],
      args: formatSignerFlags(settings, TERMINATION_LOG, waiting?.chain),
      resources: signerResources(steps, placement, bounds),
      volumeMounts: [
        ...(hasReport
          ? [{ name: REPORT_VOLUME, mountPath: REPORT_DIRECTORY, readOnly: true }]
          : []),
        ...secrets.map(({ volume, mountPath }) => ({ name: volume, mountPath, readOnly: true })),
        ...mountsOf(registrySecrets),
        ...(waiting ? [waiting.mount] : []),
        // Taken, so that the ServiceAccount plug-in mounts no token there.
        { name: VOLUME.noToken, mountPath: SERVICE_ACCOUNT_TOKEN_DIRECTORY, readOnly: true },
      ],
      terminationMessagePath: TERMINATION_LOG,
      terminationMessagePolicy: 'FallbackToLogsOnError',
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        privileged: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        ...(!pod.spec.securityContext?.runAsUser && { runAsUser: NON_ROOT_USER }),
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
    volumes: [
      ...secrets.map(({ volume, secretName }) => ({
        name: volume,
        secret: { secretName, defaultMode },
      })),
      { name: VOLUME.noToken, emptyDir: {} },
    ],
  };
}

/** A Secret that the signing container alone mounts. */
interface OwnSecret {
  readonly volume: string;
  readonly secretName: string;
  readonly mountPath: string;
}

function ownSecrets(
  { v1, v2, registryCaSecretName }: NotaryConfig,
  credentials: readonly HostSecret[],
): readonly OwnSecret[] {
  const mounted = (name: keyof typeof MOUNT & keyof typeof VOLUME, secretName?: string) =>
    secretName === undefined ? [] : [{ volume: VOLUME[name], secretName, mountPath: MOUNT[name] }];
  return [
    ...mounted('key', v1?.secretName),
    ...mounted('ca', v1?.caSecretName),
    ...credentials.map(({ secretName }, i) => ({
      volume: `${CREDENTIALS_VOLUME_PREFIX}${i}`,
      secretName,
      mountPath: `${MOUNT.credentials}/${i}`,
    })),
    ...mounted('v2Key', v2?.secretName),
    ...mounted('timestampCa', v2?.timestamp?.caSecretName),
    ...mounted('registryCa', registryCaSecretName),
  ];
}

function signaturesOf(config: NotaryConfig, credentials: readonly HostSecret[]): SignatureSettings {
  if (!config.v1) return { v1: undefined, v2: v2Settings(config.v2) };
  const { url, caSecretName, rootPins } = config.v1;
  return {
    v1: {
      notaryUrl: url,
      keyDirectory: MOUNT.key,
      caFiles: caSecretName === undefined ? [] : [`${MOUNT.ca}/${CA_FILE}`],
      rootPins,
      notaryCredentials: credentials.map(({ host }, i) => ({
        host,
        directory: `${MOUNT.credentials}/${i}`,
      })),
    },
    v2: config.v2 && v2Settings(config.v2),
  };
}

function v2Settings({ timestamp, expiry, onFailure }: V2Config): V2Settings {
  return {
    keyDirectory: MOUNT.v2Key,
    timestamp: timestamp && { url: timestamp.url, caFile: `${MOUNT.timestampCa}/${CA_FILE}` },
    expiry,
    onFailure,
  };
}

/** A Secret for several registries is mounted once. */
function mountsOf(secrets: readonly DockerSecret[]): V1VolumeMount[] {
  const mounts = secrets.map(
    ({ volume, mountPath }) => [mountPath, { name: volume, mountPath, readOnly: true }] as const,
  );
  return [...new Map(mounts).values()];
}

/** What the signing container of a pod is to do, and between which steps. */
export interface PlannedSigning {
  readonly steps: BuildSteps;
  readonly config: NotaryConfig;
  /** The tags of the Build. */
  readonly tags: readonly string[];
  readonly credentials: readonly HostSecret[];
  /** What the LimitRanges of the namespace demand of it. */
  readonly bounds: LimitRangeBounds;
}
