/** Signing Secrets for Notary Project signatures. */
import { bundle, issue, issueCas, type CertificateOptions } from './issued-certificate.ts';

/** A Secret as cert-manager writes it, and the PEM of the root that verifiers get. */
export interface V2Secret {
  readonly v2Secret: Readonly<Record<'tls.crt' | 'tls.key' | 'ca.crt', string>>;
  readonly root: string;
}

/** Issues a leaf below an intermediate certificate and a root, all new. */
export function makeV2Secret(options: CertificateOptions = {}): V2Secret {
  const [intermediate, root] = issueCas();
  const leaf = issue({ ...options, issuer: intermediate });
  const v2Secret = {
    'tls.crt': bundle(leaf, intermediate),
    'tls.key': leaf.keyPem,
    'ca.crt': root.pem,
  };
  return { v2Secret, root: root.pem };
}
