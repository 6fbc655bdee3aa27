import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type AgentOptions, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { SigningError } from '../../shared/signing-error.ts';
import { connectionFailure, MOST_HEADER_BYTES } from './connection-failure.ts';
import { silenceError, type ExchangeOptions } from './http-exchange.ts';
import { PROXY_FIX, type ProxyServer } from './proxy-settings.ts';
import { transienceOf } from './retry-after.ts';
import { isOutOfFiles } from '../io/out-of-files.ts';

export interface TunnelOptions extends Omit<ExchangeOptions, 'proxy' | 'sent'> {
  readonly proxy: ProxyServer;
}

/** Keeps connections to https servers that a proxy leads to: CONNECT first, then TLS through it. */
export class TunnelAgent extends Agent {
  readonly #tunnel: TunnelOptions;

  constructor(tunnel: TunnelOptions, options: AgentOptions) {
    super(options);
    this.#tunnel = tunnel;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    openTunnel(options, this.#tunnel).then(
      (socket) => {
        const connection = super.createConnection({ ...options, socket } as RequestOptions);
        if (connection) callback?.(null, connection);
      },
      // An error comes alone, whatever the type says.
      (error: unknown) => (callback as ((error: unknown) => void) | undefined)?.(error),
    );
  }
}

/** @throws SigningError SERVER_UNREACHABLE, SERVER_UNTRUSTED */
function openTunnel(
  { host, port }: RequestOptions,
  { proxy, agent, signal, silenceLimit }: TunnelOptions,
): Promise<Duplex> {
  const { url, serverName, authorization } = proxy;
  const target = `${host?.includes(':') ? `[${host}]` : host}:${port}`;
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method: 'CONNECT',
      path: target,
      agent,
      signal,
      timeout: silenceLimit,
      maxHeaderSize: MOST_HEADER_BYTES,
      // Node would take it from the Host header.
      servername: serverName,
      headers: {
        host: target,
        ...(authorization !== undefined && { 'proxy-authorization': authorization }),
      },
    });
    request.on('connect', (response: IncomingMessage, socket) => {
      const { statusCode: status = 0, headers } = response;
      if (status === 200) {
        socket.setTimeout(0);
        resolve(socket);
      } else {
        socket.destroy();
        reject(proxyRefusal(target, proxy, { status, headers }));
      }
    });
    request.on('timeout', () => request.destroy(silenceError(silenceLimit)));
    request.on('error', (cause) => reject(proxyFailure(target, proxy, cause)));
    request.end();
  });
}

/** What it means that a proxy answers, and does not let the signer through. */
export function proxyRefusal(
  target: string,
  { url }: ProxyServer,
  answer: { readonly status: number; readonly headers: IncomingHttpHeaders },
): SigningError {
  const { status } = answer;
  const message = `the proxy ${url.host} does not let the signer through to ${target} (HTTP ${status})`;
  return new SigningError('SERVER_UNREACHABLE', message, {
    ...transienceOf(answer),
    fix:
      status === 407
        ? 'Give HTTPS_PROXY (HTTP_PROXY for http URLs) the user name and password that the proxy wants.'
        : PROXY_FIX,
  });
}

export function proxyFailure(target: string, { url }: ProxyServer, cause: unknown): SigningError {
  const failure = connectionFailure(url, cause);
  const { code, message, fix, isTransient } = failure;
  if (isOutOfFiles(cause)) return failure;
  return new SigningError(code, `the proxy on the way to ${target}: ${message}`, {
    cause,
    isTransient,
    fix: code === 'SERVER_UNREACHABLE' ? PROXY_FIX : fix,
  });
}
