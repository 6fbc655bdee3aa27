import { SigningError } from '../shared/signing-error.ts';

/** OpenSSL's and Node's codes for a certificate that is not trusted. */
const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'CERT_REJECTED',
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
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

/** The limit of the process, and that of the machine. */
const OUT_OF_FILES = new Set(['EMFILE', 'ENFILE']);
/** What to do then. */
export const OUT_OF_FILES_FIX =
  'Raise the limit of open files: of the container (ulimit -n) for EMFILE, of the node for ENFILE.';

const TLS = /^(?:EPROTO|ERR_SSL_)/;
/** OpenSSL's words for what began as something else than TLS. */
const NOT_TLS = /wrong version number|packet length too long|http request/i;
const NOT_HTTP = /^HPE_/;

/** What it means that an exchange with the server at a URL broke. */
export function connectionFailure(url: URL, cause: unknown): SigningError {
  const { code = '' } = cause as NodeJS.ErrnoException;
  const what = describe(cause);
  if (UNTRUSTED.has(code)) {
    return new SigningError('SERVER_UNTRUSTED', `the certificate of ${url.host}: ${what}`, {
      cause,
      ...(code === 'ERR_TLS_CERT_ALTNAME_INVALID' && {
        fix: `Use a host name that the certificate names, or have it issued for ${url.hostname}.`,
      }),
    });
  }
  if (TLS.test(code) && !NOT_TLS.test(what)) {
    const message = `${url.origin} and we do not agree on TLS: ${tlsReason(cause)}`;
    return new SigningError('SERVER_UNREACHABLE', message, {
      cause,
      fix: 'Let the server, and what stands before it, speak TLS 1.2 or newer with a common cipher, a key that is not weak, and without client certificates.',
    });
  }
  if (TLS.test(code) || NOT_HTTP.test(code)) {
    const language = TLS.test(code) ? 'TLS' : 'HTTP';
    return new SigningError('SERVER_UNREACHABLE', `${url.origin} does not speak ${language}`, {
      cause,
      fix: 'Check port and scheme of the URL: what listens there speaks another protocol.',
    });
  }
  if (isOutOfFiles(cause)) {
    const message = `no connection to ${url.origin} can be opened: too many open files (${code})`;
    return new SigningError('SERVER_UNREACHABLE', message, {
      cause,
      fix: OUT_OF_FILES_FIX,
    });
  }
  return new SigningError('SERVER_UNREACHABLE', `${url.origin} cannot be reached: ${what}`, {
    cause,
    isTransient: TRANSIENT.has(code),
  });
}

/** Whether the process, or the machine, may open no more files; a connection is one. */
export function isOutOfFiles(cause: unknown): boolean {
  return OUT_OF_FILES.has((cause as NodeJS.ErrnoException).code ?? '');
}

/** OpenSSL's reason, without the numbers and places of its source around it. */
function tlsReason(cause: unknown): string {
  const { message } = cause as Error;
  return /SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? message;
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
