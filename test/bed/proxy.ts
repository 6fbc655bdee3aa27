/**
 * A proxy before a real server, for what the server cannot be made to do: it answers itself, serves
 * another path, hangs or resets; everything else goes through.
 */
import { createServer, request, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Authority } from './authority.ts';
import { atExit } from './cleanup.ts';

/** What becomes of a request. */
export type ProxyAction =
  | { readonly kind: 'forward'; readonly path?: string; readonly loses?: 'answer' }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' };

/** A request as the proxy's rule sees it. */
export interface ProxiedRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
}

/** A proxy to start. */
export interface ProxyOptions {
  readonly authority: Authority;
  /** Base URL of the real server. */
  readonly target: string;
  /** Asked for each request, in order. */
  readonly rule: (request: ProxiedRequest) => ProxyAction;
}

/** A running proxy. */
export interface Proxy {
  readonly url: string;
  /** All requests so far. */
  readonly requests: readonly ProxiedRequest[];
  stop(): Promise<void>;
}

/** Forwards as it came. */
export const FORWARD: ProxyAction = { kind: 'forward' };

/** Starts a proxy on loopback, with a certificate of the authority. */
export async function startProxy({ authority, target, rule }: ProxyOptions): Promise<Proxy> {
  const certificate = await authority.issue({ name: 'proxy' });
  const requests: ProxiedRequest[] = [];
  const server = createServer(
    { cert: certificate.certificatePem, key: certificate.keyPem },
    (incoming, outgoing) => {
      const seen = { method: incoming.method ?? '', path: incoming.url ?? '' };
      requests.push(seen);
      act(rule(seen), incoming, outgoing, target, authority.certificatePem);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const forget = atExit(() => server.closeAllConnections());
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: async () => {
      await stopServer(server);
      forget();
    },
  };
}

function act(
  action: ProxyAction,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: string,
  ca: string,
): void {
  switch (action.kind) {
    case 'hang':
      return;
    case 'reset':
      incoming.socket.destroy();
      return;
    case 'answer':
      incoming.resume();
      outgoing.writeHead(action.status, action.headers).end(action.body);
      return;
    case 'forward': {
      const url = new URL(target + (action.path ?? incoming.url ?? ''));
      const { method, headers } = incoming;
      const onward = request(
        url,
        { method, ca, headers: { ...headers, host: url.host } },
        (answer) => {
          if (action.loses) {
            answer.resume().on('end', () => incoming.socket.destroy());
            return;
          }
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        },
      );
      onward.on('error', () => incoming.socket.destroy());
      incoming.pipe(onward);
    }
  }
}

function stopServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
