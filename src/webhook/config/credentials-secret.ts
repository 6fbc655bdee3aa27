import { CREDENTIALS_ANNOTATION } from '../../shared/names.ts';
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
