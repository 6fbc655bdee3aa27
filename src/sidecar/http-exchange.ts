import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { SigningError } from '../shared/signing-error.ts';
import { MOST_HEADER_BYTES } from './connection-failure.ts';
import type { HttpRequest, HttpResponse } from './http-client.ts';
import type { ProxyServer } from './proxy-settings.ts';

/** How one exchange goes over the network. */
export interface ExchangeOptions {
  readonly agent: Agent;
  /** Asked in the server's place, as plain http is through a proxy. */
  readonly proxy: ProxyServer | undefined;
  readonly signal: AbortSignal;
  /** How long nothing may come, from connecting to the last byte; in milliseconds. */
  readonly silenceLimit: number;
}

/** Of tokens and error messages. */
const BODY_LIMIT_BYTES = 64 * 1024;

/**
 * One request and its whole answer. A GET that met a kept connection which the server was closing is
 * sent again over the next one: it has not been answered, and may be repeated.
 *
 * @throws what the network says; SigningError SERVER_FAILED when the answer is too long
 */
export function exchange(message: HttpRequest, options: ExchangeOptions): Promise<HttpResponse> {
  const { method, url, headers, body, limit = BODY_LIMIT_BYTES } = message;
  const { agent, proxy, signal, silenceLimit } = options;
  const authorization = message.authorization?.headerFor(url);
  const next = proxy?.url ?? url;
  const send = next.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    let isAnswered = false;
    const request = send(next, {
      method,
      agent,
      signal,
      timeout: silenceLimit,
      maxHeaderSize: MOST_HEADER_BYTES,
      ...(proxy && {
        path: `${url.origin}${url.pathname}${url.search}`,
        servername: proxy.serverName,
      }),
      headers: {
        'accept-encoding': 'identity',
        ...headers,
        ...(authorization !== undefined && { authorization }),
        ...(body && { 'content-length': body.length }),
        ...(proxy && { host: url.host }),
        ...(proxy?.authorization !== undefined && { 'proxy-authorization': proxy.authorization }),
      },
    });
    request.on('response', (response) => {
      isAnswered = true;
      const { statusCode: status = 0, headers } = response;
      const encoding = encodingOf(response);
      if (encoding !== undefined) {
        request.destroy();
        reject(encoded(url, encoding));
        return;
      }
      readBody(response, url, limit).then(
        (bytes) => resolve({ status, headers, body: bytes, url }),
        reject,
      );
    });
    // Node drops the connection without a word to anybody who does not listen.
    request.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      const what = `${url.origin} answers ${url.pathname} with another protocol`;
      reject(new SigningError('SERVER_FAILED', `${what} (HTTP ${statusCode ?? 0})`));
    });
    request.on('timeout', () => request.destroy(silenceError(silenceLimit)));
    request.on('error', (error) => {
      const { code } = error as NodeJS.ErrnoException;
      const isStale = request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
      if (isStale && method === 'GET' && !isAnswered) resolve(exchange(message, options));
      else reject(error);
    });
    request.end(body);
  });
}

/** What a good answer is packed in; of others the status alone counts. */
function encodingOf({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  const isGood = statusCode >= 200 && statusCode < 300;
  return isGood && encoding !== '' && encoding !== 'identity' ? encoding : undefined;
}

function encoded(url: URL, encoding: string): SigningError {
  const what = `${url.origin} answers ${url.pathname} encoded as ${encoding.slice(0, 40)}, and was asked not to encode it`;
  return new SigningError('SERVER_FAILED', what, {
    fix: 'Switch compression off for this URL in the server, or in the proxy before it.',
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

/** Somebody who says nothing for so long has hung. */
export function silenceError(limit: number): Error {
  const message = `nothing came for ${limit / 1000} seconds`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
