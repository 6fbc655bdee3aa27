import {
  CREDENTIALS_ANNOTATION,
  DOCKER_ANNOTATION,
  GIT_ANNOTATION,
  TOKEN_ANNOTATION,
} from '../../shared/names.ts';
import type { ClusterObject } from '../../shared/kubernetes/cluster.ts';
import { hostOf } from '../../shared/notary-url.ts';

/** A Secret with credentials, and the host of the Notary server that it is for. */
export interface HostSecret {
  readonly host: string;
  readonly secretName: string;
}

/** The credentials Secrets among those of a service account; the annotation may be a host or a URL. */
export function credentialsOf(
  secrets: readonly (ClusterObject | undefined)[],
): readonly HostSecret[] {
  return secrets.flatMap((secret) => {
    const { name: secretName, annotations } = secret?.metadata ?? {};
    const server = annotations?.[CREDENTIALS_ANNOTATION];
    const host = server ? hostOf(server) : undefined;
    return host !== undefined && secretName ? [{ host, secretName }] : [];
  });
}

/** A Secret with credentials for a registry. A docker configuration has no host: it names them itself. */
export interface RegistrySecret {
  readonly host: string | undefined;
}

/** What an annotation gives away as something else than a docker configuration. */
const OTHER_KINDS = [CREDENTIALS_ANNOTATION, GIT_ANNOTATION, TOKEN_ANNOTATION];

/**
 * The Secrets of a service account that may be for registries. The metadata tells the registry of a
 * basic-auth Secret; of a docker configuration it tells nothing.
 */
export function registrySecretsOf(
  secrets: readonly (ClusterObject | undefined)[],
): readonly RegistrySecret[] {
  return secrets.flatMap((secret): readonly RegistrySecret[] => {
    if (!secret) return [];
    const { annotations = {} } = secret.metadata;
    const registry = annotations[DOCKER_ANNOTATION];
    if (registry !== undefined) return [{ host: registry }];
    return OTHER_KINDS.some((name) => annotations[name] !== undefined) ? [] : [{ host: undefined }];
  });
}
