import { once } from 'node:events';
import {
  request as httpRequest,
  type Agent,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { SigningError } from '../../shared/signing-error.ts';
import { MOST_HEADER_BYTES } from './connection-failure.ts';
import type { ProxyServer } from './proxy-settings.ts';
import { isRead, type HttpRequest, type HttpResponse } from './http-message.ts';

export interface ExchangeOptions {
  /** For the connection to the proxy, or to the server where there is none. */
  readonly agent: Agent;
  /** Asked in the server's place, as plain http is, or for a tunnel. */
  readonly proxy: ProxyServer | undefined;
  readonly signal: AbortSignal;
  /** How long nothing may come, from connecting to the last byte; in milliseconds. */
  readonly silenceLimit: number;
  /** Called when all of the request is on its way. */
  readonly sent: () => void;
}

/** Of tokens and error messages. */
const BODY_LIMIT_BYTES = 64 * 1024;
/** Answers up to here are kept as they come; longer ones in one piece of memory. */
const SMALL_BYTES = 1024 * 1024;
/** What is written at once: more would be held a second time, encrypted. */
const WRITTEN_AT_ONCE = 64 * 1024;

/**
 * One request and its whole answer. A read that met a kept connection which the server was closing is
 * sent again over the next one: it has not been answered, and may be repeated.
 *
 * @throws what the network says; SigningError SERVER_FAILED when the answer is too long
 */
export function exchange(message: HttpRequest, options: ExchangeOptions): Promise<HttpResponse> {
  const { method, url, headers, body } = message;
  const { agent, proxy, signal, silenceLimit, sent } = options;
  const authorization = message.authorization?.headerFor(url);
  const next = proxy?.url ?? url;
  const open = next.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    let isAnswered = false;
    const request = open(next, {
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
        ...(body && { 'content-length': body.reduce((sum, { length }) => sum + length, 0) }),
        ...(proxy && { host: url.host }),
        ...(proxy?.authorization !== undefined && { 'proxy-authorization': proxy.authorization }),
      },
    });
    request.once('finish', sent);
    request.on('response', (response) => {
      isAnswered = true;
      const { statusCode: status = 0, headers } = response;
      const encoding = encodingOf(response);
      if (encoding !== undefined) {
        request.destroy();
        const what = `${url.origin} answers ${url.pathname} encoded as ${encoding.slice(0, 40)}, and was asked not to encode it`;
        const fix = 'Switch compression off for this URL in the server, or in the proxy before it.';
        reject(new SigningError('SERVER_FAILED', what, { fix }));
        return;
      }
      readBody(response, message).then(
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
      if (isStale && isRead(message) && !isAnswered) resolve(exchange(message, options));
      else reject(error);
    });
    send(request, body ?? []).catch(reject);
  });
}

/** What a good answer is packed in; of others the status alone counts. */
function encodingOf({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  const isGood = statusCode >= 200 && statusCode < 300;
  return isGood && encoding !== '' && encoding !== 'identity' ? encoding : undefined;
}

/** Writes no faster than the other side reads. Errors are those of the request. */
async function send(request: ClientRequest, body: readonly Uint8Array[]): Promise<void> {
  const closed = once(request, 'close').catch(() => undefined);
  for (const part of body) {
    for (let at = 0; at < part.length && !request.destroyed; at += WRITTEN_AT_ONCE) {
      if (request.write(part.subarray(at, at + WRITTEN_AT_ONCE))) continue;
      await Promise.race([once(request, 'drain').catch(() => undefined), closed]);
    }
  }
  request.end();
}

async function readBody(
  response: IncomingMessage,
  { method, url, limit = BODY_LIMIT_BYTES, admit, tooLong }: HttpRequest,
): Promise<Uint8Array> {
  const isError = (response.statusCode ?? 0) >= 300;
  const most = isError ? Math.min(limit, BODY_LIMIT_BYTES) : limit;
  // The answer to a HEAD tells the length of what it leaves out.
  const told = method === 'HEAD' ? undefined : response.headers['content-length'];
  const declared = Number(told ?? 0);
  const exceeded = () => {
    const what = `${url.origin} answers ${url.pathname} with more than ${limit} bytes`;
    return tooLong?.() ?? new SigningError('SERVER_FAILED', what);
  };
  if (!isError && declared > most) throw exceeded();
  if (!isError && declared > SMALL_BYTES) admit?.(declared, declared);
  let admitted = Math.max(declared, SMALL_BYTES);
  const chunks: Uint8Array[] = [];
  let whole: Buffer | undefined;
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (size + chunk.length > most) {
      // What an error says is in its beginning.
      if (isError) break;
      throw exceeded();
    }
    while (size + chunk.length > admitted) {
      admitted += SMALL_BYTES;
      admit?.(SMALL_BYTES, size + chunk.length);
    }
    if (!whole && size + chunk.length > SMALL_BYTES) {
      // What is not written to takes no memory.
      whole = Buffer.allocUnsafeSlow(declared > 0 ? declared : most);
      for (let at = 0; chunks.length > 0;) at += Buffer.from(chunks.shift() ?? '').copy(whole, at);
    }
    if (whole) chunk.copy(whole, size);
    else chunks.push(chunk);
    size += chunk.length;
  }
  return whole?.subarray(0, size) ?? Buffer.concat(chunks);
}

/** Somebody who says nothing for so long has hung. */
export function silenceError(limit: number): Error {
  const message = `nothing came for ${limit / 1000} seconds`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
