import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

/** What Node's own TLS code calls on a context; no documented name leads to it. */
interface NativeContext {
  addCACert?(pem: string): void;
}

/**
 * A context that trusts the bundled roots and more. What is added is an anchor, be it a root, an
 * intermediate or the certificate of the server itself, as for Go's programs.
 *
 * Parsing the bundled roots is the largest part of the signer's start. With `ca` Node would write
 * each of them as PEM and parse it again, which takes twice as long as adding to its default store.
 *
 * @param ca PEM certificates; what cannot be read of one adds nothing
 */
export function trustRoots(ca: readonly string[]): SecureContext {
  const anyAnchor = { allowPartialTrustChain: true };
  const secureContext = createSecureContext(anyAnchor);
  const native = secureContext.context as NativeContext;
  if (ca.length > 0 && typeof native.addCACert !== 'function') {
    return createSecureContext({ ...anyAnchor, ca: [...rootCertificates, ...ca] });
  }
  for (const pem of ca) native.addCACert?.(pem);
  return secureContext;
}
