import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { createSecureContext, rootCertificates } from 'node:tls';
import { SigningError } from '../shared/signing-error.ts';
import type { ProxySettings } from './proxy-settings.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Longest answer in bytes; 64 KiB where nothing else is said. */
  readonly limit?: number;
  /**
   * Whether a redirect is an answer like any other (the default), or followed: GET alone, a few
   * times, never from https to http, and with `authorization` to the same origin alone.
   */
  readonly redirects?: 'answer' | 'follow';
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
  /** Who answered: the URL asked for, or where redirects led. */
  readonly url: URL;
}

/** Sends requests over kept-alive connections; redirects are answers like any other. */
export interface HttpClient {
  /**
   * @throws SigningError SERVER_UNREACHABLE, SERVER_UNTRUSTED, DEADLINE_EXCEEDED; SERVER_FAILED when
   * the answer is too long
   */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

export interface HttpClientOptions {
  /** CA certificates beside the bundled roots, PEM. */
  readonly ca: readonly string[];
  readonly proxy: ProxySettings;
  /** Ends all requests; its reason is the error. */
  readonly signal: AbortSignal;
}

/** A server that sends nothing for so long has hung. */
const SILENCE_LIMIT_MS = 30_000;
/** Of tokens and error messages. */
const BODY_LIMIT_BYTES = 64 * 1024;

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
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

export function createHttpClient({ ca, signal }: HttpClientOptions): HttpClient {
  // Made once: Node would parse all certificates again for each connection.
  const trust = { ca: [...rootCertificates, ...ca] };
  const secureContext = createSecureContext(ca.length > 0 ? trust : {});
  const https = new HttpsAgent({ keepAlive: true, secureContext });
  const http = new HttpAgent({ keepAlive: true });
  return {
    send: async (request) => {
      try {
        const agent = request.url.protocol === 'https:' ? https : http;
        return await exchange(request, agent, signal);
      } catch (cause) {
        throw failure(request.url, cause, signal);
      }
    },
    close: () => {
      https.destroy();
      http.destroy();
    },
  };
}

function exchange(
  { method, url, headers, body, limit = BODY_LIMIT_BYTES }: HttpRequest,
  agent: HttpAgent | HttpsAgent,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method,
      agent,
      signal,
      timeout: SILENCE_LIMIT_MS,
      headers: { ...headers, ...(body && { 'content-length': body.length }) },
    });
    request.on('response', (response) => {
      readBody(response, url, limit).then(
        (bytes) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: bytes,
            url,
          }),
        reject,
      );
    });
    request.on('timeout', () =>
      request.destroy(new Error(`no answer for ${SILENCE_LIMIT_MS / 1000} seconds`)),
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function readBody(response: IncomingMessage, url: URL, limit: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      const what = `${url.origin} answers ${url.pathname} with more than ${limit} bytes`;
      throw new SigningError('SERVER_FAILED', what);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function failure(url: URL, cause: unknown, signal: AbortSignal): SigningError {
  if (signal.aborted && signal.reason instanceof SigningError) return signal.reason;
  if (cause instanceof SigningError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const what = code === undefined ? message : `${message} (${code})`;
  if (code !== undefined && UNTRUSTED.has(code)) {
    return new SigningError('SERVER_UNTRUSTED', `the certificate of ${url.host}: ${what}`, {
      cause,
      ...(code === 'ERR_TLS_CERT_ALTNAME_INVALID' && {
        fix: `Use a host name that the certificate names, or have it issued for ${url.hostname}.`,
      }),
    });
  }
  if (code === 'EPROTO') {
    const message = `${url.origin} does not speak TLS`;
    return new SigningError('SERVER_UNREACHABLE', message, {
      cause,
      fix: 'Check port and scheme of the URL: what listens there speaks plain http, or nothing we know.',
    });
  }
  return new SigningError('SERVER_UNREACHABLE', `${url.origin} cannot be reached: ${what}`, {
    cause,
  });
}
