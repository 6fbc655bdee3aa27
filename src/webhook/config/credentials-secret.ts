import { CREDENTIALS_ANNOTATION } from '../../shared/names.ts';
import type { ClusterObject } from '../../shared/kubernetes/cluster.ts';
import { hostOf } from '../../shared/notary-url.ts';

/** A Secret that names a Notary server it is for. */
export interface CredentialsSecret {
  readonly name: string;
  /** Value of `kpack.io/notary.v1`: a host, or a URL. */
  readonly server: string;
}

/** A Secret with credentials, and the host as it is to be compared with that of the server. */
export interface HostSecret {
  readonly host: string;
  readonly secretName: string;
}

/** The credentials Secrets among those of a service account. */
export function credentialsOf(
  secrets: readonly (ClusterObject | undefined)[],
): readonly CredentialsSecret[] {
  return secrets.flatMap((secret) => {
    const server = secret?.metadata.annotations?.[CREDENTIALS_ANNOTATION];
    const name = secret?.metadata.name;
    return server && name ? [{ name, server }] : [];
  });
}

/** The credentials for one server; the annotation may be a host or a URL. */
export function credentialsFor(
  host: string,
  secrets: readonly CredentialsSecret[],
): readonly HostSecret[] {
  return secrets
    .filter(({ server }) => hostOf(server) === host)
    .map(({ name }) => ({ host, secretName: name }));
}
