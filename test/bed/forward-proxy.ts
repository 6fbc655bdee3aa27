/**
 * A forward proxy: CONNECT for https servers, whole URLs for http ones. With a CA it speaks
 * TLS itself.
 */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Authority } from './authority.ts';
import { atExit } from './cleanup.ts';

/** A forward proxy to start. */
export interface ForwardProxyOptions {
  /** Issues its certificate; without one it is an http proxy. */
  readonly authority?: Authority;
  /** Without them everybody may use it. */
  readonly account?: { readonly username: string; readonly password: string };
  /** A status in place of the way through. */
  readonly refusal?: number;
  /** Whether it takes requests, and never answers. */
  readonly hangs?: boolean;
  /** Where names lead, by `host:port`; others lead where they say. */
  readonly hosts?: Readonly<Record<string, number>>;
}

/** A running forward proxy. */
export interface ForwardProxy {
  /** Without user name and password. */
  readonly url: string;
  readonly host: string;
  /** What was asked for: `CONNECT host:port`, or method and URL. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

/** Starts a forward proxy on 127.0.0.1. */
export async function startForwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const { authority, refusal, hangs = false, hosts = {} } = options;
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const statusFor = (request: IncomingMessage): number => {
    requests.push(`${request.method} ${request.url}`);
    return isWelcome(options, request) ? (refusal ?? 200) : 407;
  };
  const pass = (request: IncomingMessage, response: ServerResponse): void => {
    const status = statusFor(request);
    if (hangs) return;
    if (status !== 200) {
      response.writeHead(status).end();
      return;
    }
    const { method, headers } = request;
    const onward = httpRequest(request.url ?? '', { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  };
  const certificate = await authority?.issue({ name: 'forward-proxy' });
  const server = certificate
    ? createTlsServer({ cert: certificate.certificatePem, key: certificate.keyPem }, pass)
    : createServer(pass);
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    const status = statusFor(request);
    // A client may be gone before it has read why it is refused.
    client.on('error', () => client.destroy());
    if (hangs) return;
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const target = request.url ?? '';
    const url = new URL(`http://${target}`);
    const port = hosts[target] ?? Number(url.port);
    const address = target in hosts ? '127.0.0.1' : url.hostname.replace(/^\[(.*)\]$/, '$1');
    const onward = connect(port, address, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(onward).pipe(client);
    });
    sockets.add(onward);
    onward.on('error', () => client.destroy());
    client.on('error', () => onward.destroy());
  });
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => sockets.forEach((socket) => socket.destroy());
  const forget = atExit(close);
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${certificate ? 'https' : 'http'}://${host}`,
    host,
    requests,
    stop: () =>
      new Promise((resolve) => {
        forget();
        server.close(() => resolve());
        close();
      }),
  };
}

function isWelcome({ account }: ForwardProxyOptions, { headers }: IncomingMessage): boolean {
  if (!account) return true;
  const text = `${account.username}:${account.password}`;
  return headers['proxy-authorization'] === `Basic ${Buffer.from(text).toString('base64')}`;
}
