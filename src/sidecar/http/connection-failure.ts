import { SigningError } from '../../shared/signing-error.ts';
import { OUT_OF_FILES_FIX, isOutOfFiles } from '../io/out-of-files.ts';

/** How long the headers of an answer may be together; bytes. Node would take 16 KiB. */
export const MOST_HEADER_BYTES = 64 * 1024;

/** What is wrong with a certificate, where the fix is not to trust another CA; it may be any in the chain. */
const CERTIFICATE_FLAWS: ReadonlyMap<string, readonly [what: string, fix: string]> = new Map([
  [
    'CERT_HAS_EXPIRED',
    [
      'it, or a certificate above it, has expired',
      'Renew the certificate of the server, or the one above it; if they are in date, correct the clock of the node.',
    ],
  ],
  [
    'CERT_NOT_YET_VALID',
    [
      'it, or a certificate above it, is not valid yet',
      'Correct the clock of the node, or of the machine that issued the certificate; or wait until it is valid.',
    ],
  ],
]);
/** OpenSSL's codes for a chain that ends at nothing that is trusted. */
const NO_ANCHOR = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);
/** Further codes of OpenSSL and Node for a certificate that is not trusted. */
const UNTRUSTED = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'CERT_REJECTED',
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  // What Node has no name for: weak keys and digests, name constraints.
  'UNSPECIFIED',
]);

/** What a restart, a full queue or a bad moment of the network looks like. */
const TRANSIENT = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);
const TLS = /^(?:EPROTO|ERR_SSL_)/;
/** OpenSSL's words for what began as something else than TLS. */
const NOT_TLS = /wrong version number|packet length too long|http request/i;
/** OpenSSL's words for the alerts of servers that demand a certificate of their clients. */
const DEMANDS_CERTIFICATE = /alert (?:certificate required|bad certificate)/i;
/** How nginx says the same, in an answer of its own. */
const CERTIFICATE_PAGE = /No required SSL certificate was sent|The SSL certificate error/;
/** Codes of Node's HTTP parser for what does not begin as HTTP. */
const NOT_HTTP = new Set(['HPE_INVALID_CONSTANT', 'HPE_INVALID_VERSION', 'HPE_INVALID_METHOD']);
const BROKEN_HTTP = /^HPE_/;

/** What it means that an exchange with the server at a URL broke. */
export function connectionFailure(url: URL, cause: unknown): SigningError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const { host, hostname, origin } = url;
  const what = describe(cause);
  const untrusted = (why: string, fix?: string) =>
    new SigningError('SERVER_UNTRUSTED', `the certificate of ${host}${why}`, { cause, fix });
  const unreachable = (what: string, fix: string) =>
    new SigningError('SERVER_UNREACHABLE', what, { cause, fix });
  const speaksOther = (language: 'TLS' | 'HTTP') =>
    unreachable(
      `${origin} does not speak ${language}`,
      'Check port and scheme of the URL: what listens there speaks another protocol.',
    );
  const [flaw, flawFix] = CERTIFICATE_FLAWS.get(code) ?? [];
  if (flaw !== undefined) return untrusted(` is not trusted: ${flaw} (${code})`, flawFix);
  if (NO_ANCHOR.has(code)) {
    return untrusted(` is not trusted: no CA that is known here issued it: ${what}`);
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const fix = `Use a host name that the certificate names, or have it issued for ${hostname}.`;
    return untrusted(`: ${what}`, fix);
  }
  if (UNTRUSTED.has(code)) return untrusted(`: ${what}`);
  if (TLS.test(code)) {
    if (NOT_TLS.test(what)) return speaksOther('TLS');
    if (DEMANDS_CERTIFICATE.test(what)) return certificateDemanded(url, cause);
    // OpenSSL's reason, without the numbers and places of its source around it.
    const reason = /SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? message;
    return unreachable(
      `TLS handshake with ${origin} failed: ${reason}`,
      'Let the server, and what stands before it, speak TLS 1.2 or newer with a common cipher, a key that is not weak, and without client certificates.',
    );
  }
  if (NOT_HTTP.has(code)) return speaksOther('HTTP');
  if (BROKEN_HTTP.test(code)) {
    const reason =
      code === 'HPE_HEADER_OVERFLOW'
        ? `its headers are longer than ${MOST_HEADER_BYTES} bytes`
        : message.replace(/^Parse Error: /, '');
    const what = `${origin} answers with HTTP that is not valid: ${reason} (${code})`;
    return new SigningError('SERVER_FAILED', what, {
      cause,
      fix: 'Correct the headers that the server, or a proxy before it, adds to its answers.',
    });
  }
  if (isOutOfFiles(cause)) {
    const what = `no connection to ${origin} can be opened: too many open files (${code})`;
    return unreachable(what, OUT_OF_FILES_FIX);
  }
  return new SigningError('SERVER_UNREACHABLE', `${origin} cannot be reached: ${what}`, {
    cause,
    isTransient: TRANSIENT.has(code),
  });
}

/** The signer has no client certificate, whoever asks. */
function certificateDemanded(url: URL, cause?: unknown): SigningError {
  const message = `${url.origin} demands a client certificate, and the signer has none`;
  return new SigningError('SERVER_UNREACHABLE', message, {
    cause,
    fix: 'Let the server, or the proxy before it, take this client without a certificate: the signer has user name and password alone.',
  });
}

/** Why an answer is the page of a server that demands a client certificate; undefined where it is none. */
export function demandOfCertificate(
  url: URL,
  { status, body }: { readonly status: number; readonly body: Uint8Array },
): SigningError | undefined {
  const isPage = status === 400 && CERTIFICATE_PAGE.test(Buffer.from(body).toString('latin1'));
  return isPage ? certificateDemanded(url) : undefined;
}

/** A host with several addresses fails with an error for each, and no words of its own. */
function describe(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  const words =
    cause instanceof AggregateError
      ? (cause.errors as readonly Error[]).map((error) => error.message).join(', ')
      : message;
  return code === undefined ? words : `${words} (${code})`;
}
