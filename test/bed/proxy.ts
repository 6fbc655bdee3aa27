/**
 * A proxy before a real server, for what the server cannot be made to do: it answers itself, serves
 * another path, hangs, cuts, garbles or slows down; everything else goes through.
 */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { deliver, type Answer, type Garbling } from './answer.ts';
import type { Authority } from './authority.ts';
import { atExit } from './cleanup.ts';

/** What becomes of a request. */
export type ProxyAction =
  | {
      readonly kind: 'forward';
      readonly path?: string;
      /**
       * What does not arrive: the second half of the request, the answer (when the server has given
       * it), or the second half of that.
       */
      readonly loses?: 'request' | 'answer' | 'half-answer';
      readonly garbles?: Garbling;
      /** The time that the answer tells, in place of the server's; `none`: it tells none. */
      readonly date?: Date | 'none';
      /** Awaited when the server has answered, before any of that is passed on. */
      readonly answered?: () => Promise<void>;
    }
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
  /** Asked for each request, in order, when its head is there; the request waits for the answer. */
  readonly rule: (request: ProxiedRequest) => ProxyAction | Promise<ProxyAction>;
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
  const act = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const seen = { method: incoming.method ?? '', path: incoming.url ?? '' };
    requests.push(seen);
    const action = await rule(seen);
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
      case 'forward':
        await forward(action, incoming, outgoing, target, authority.certificatePem);
    }
  };
  const server = createServer(
    { cert: certificate.certificatePem, key: certificate.keyPem },
    (incoming, outgoing) => {
      // Whatever breaks on either side breaks the other side too.
      act(incoming, outgoing).catch(() => incoming.socket.destroy());
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

async function forward(
  action: Extract<ProxyAction, { kind: 'forward' }>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: string,
  ca: string,
): Promise<void> {
  const url = new URL(target + (action.path ?? incoming.url ?? ''));
  const body = await bytesOf(incoming);
  const { method, headers } = incoming;
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  // A connection of its own: none may be stale because the server was restarted meanwhile.
  const onward = send(url, { method, ca, agent: false, headers: { ...headers, host: url.host } });
  if (action.loses === 'request') {
    onward.on('error', () => undefined);
    await new Promise((resolve) => onward.write(body.subarray(0, body.length / 2), resolve));
    onward.destroy();
    incoming.socket.destroy();
    return;
  }
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    onward.once('response', resolve).once('error', reject).end(body);
  });
  const whole: Answer = {
    status: answer.statusCode ?? 502,
    headers: dated(answer.headers, action.date),
    body: await bytesOf(answer),
  };
  if (action.date === 'none') outgoing.sendDate = false;
  await action.answered?.();
  if (action.loses === 'answer') incoming.socket.destroy();
  else await deliver(outgoing, whole, action.loses ?? action.garbles);
}

function dated(
  { date, ...others }: IncomingMessage['headers'],
  wanted: Date | 'none' | undefined,
): IncomingMessage['headers'] {
  if (wanted === 'none') return others;
  const told = wanted?.toUTCString() ?? date;
  return { ...others, ...(told !== undefined && { date: told }) };
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await (message as AsyncIterable<Buffer> & IncomingMessage).toArray());
}

function stopServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
