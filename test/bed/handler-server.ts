/**
 * A server on loopback that does what a function says: for what no real server can be made to do.
 */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Authority } from './authority.ts';
import { atExit } from './cleanup.ts';

/** A server to start. */
export interface HandlerServerOptions {
  /** Issues its certificate; without one it speaks plain http. */
  readonly authority?: Authority;
  /** Names in its certificate besides those of loopback. */
  readonly hosts?: readonly string[];
  /** Of loopback; `127.0.0.1` where nothing else is said. */
  readonly address?: string;
  readonly handle: RequestListener;
}

/** A running server. */
export interface HandlerServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Connections that were opened so far. */
  connections(): number;
  /** Closes the connections that no request is using. */
  closeIdle(): void;
  stop(): Promise<void>;
}

/** Starts a server on a port of its own. */
export async function startHandlerServer(options: HandlerServerOptions): Promise<HandlerServer> {
  const { authority, hosts = [], address = '127.0.0.1', handle } = options;
  const certificate = await authority?.issue({ name: 'handler', hosts });
  const server = certificate
    ? createTlsServer({ cert: certificate.certificatePem, key: certificate.keyPem }, handle)
    : createServer(handle);
  let connections = 0;
  server.on('connection', () => (connections += 1));
  server.listen(0, address);
  await once(server, 'listening');
  const forget = atExit(() => server.closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const host = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  return {
    url: `${certificate ? 'https' : 'http'}://${host}`,
    host,
    port,
    connections: () => connections,
    closeIdle: () => server.closeIdleConnections(),
    stop: () =>
      new Promise((resolve) => {
        forget();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * Passes requests on to a real https server, and its answers back.
 *
 * @param below a path that is taken away
 */
export function passTo(
  target: string,
  { certificatePem: ca }: Authority,
  below = '',
): RequestListener {
  return (incoming, outgoing) => {
    const url = new URL(target + (incoming.url ?? '').slice(below.length));
    const { method, headers } = incoming;
    const onward = httpsRequest(url, { method, ca, headers: { ...headers, host: url.host } });
    onward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => incoming.socket.destroy());
    incoming.pipe(onward);
  };
}
