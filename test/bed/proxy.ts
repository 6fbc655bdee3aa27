/**
 * A proxy before a real server, for what the server cannot be made to do: it answers itself, serves
 * another path, hangs, cuts, garbles or slows down; everything else goes through.
 */
import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { deliver, type Answer, type Garbling } from './answer.ts';
import type { Authority } from './authority.ts';
import { atExit } from './cleanup.ts';

/** An answer of the proxy itself. */
export interface OwnAnswer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

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
      /** What the client gets in place of the server's answer. */
      readonly becomes?: OwnAnswer;
      /** Awaited when the server has answered, before any of that is passed on. */
      readonly answered?: (status: number) => Promise<void> | void;
    }
  | ({
      readonly kind: 'answer';
      /** The server gets the request all the same, when this resolves; its answer goes nowhere. */
      readonly late?: {
        readonly when: Promise<unknown>;
        readonly answered?: (status: number) => void;
      };
    } & OwnAnswer)
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
  /**
   * Asked for each request, in order, when its head is there; the request waits for the answer.
   *
   * @param over resolves when its client has the answer, or is gone
   */
  readonly rule: (
    request: ProxiedRequest,
    over: Promise<void>,
  ) => ProxyAction | Promise<ProxyAction>;
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

/** Starts a proxy on loopback, with a certificate of the CA. */
export async function startProxy({ authority, target, rule }: ProxyOptions): Promise<Proxy> {
  const certificate = await authority.issue({ name: 'proxy' });
  const requests: ProxiedRequest[] = [];
  const act = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const seen = { method: incoming.method ?? '', path: incoming.url ?? '' };
    requests.push(seen);
    const over = new Promise<void>((resolve) => outgoing.once('close', resolve));
    const action = await rule(seen, over);
    switch (action.kind) {
      case 'hang':
        return;
      case 'reset':
        incoming.socket.destroy();
        return;
      case 'answer': {
        const body = await bytesOf(incoming);
        outgoing.writeHead(action.status, action.headers).end(action.body);
        if (!action.late) return;
        await action.late.when;
        const late = onwards(incoming, target, authority.certificatePem);
        action.late.answered?.((await answerTo(late, body)).status);
        return;
      }
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
  const body = await bytesOf(incoming);
  const onward = onwards(incoming, target, ca, action.path);
  if (action.loses === 'request') {
    onward.on('error', () => undefined);
    await new Promise((resolve) => onward.write(body.subarray(0, body.length / 2), resolve));
    onward.destroy();
    incoming.socket.destroy();
    return;
  }
  const answer = await answerTo(onward, body);
  const whole: Answer = { ...answer, headers: dated(answer.headers, action.date) };
  if (action.date === 'none') outgoing.sendDate = false;
  await action.answered?.(whole.status);
  const { becomes } = action;
  if (becomes) outgoing.writeHead(becomes.status, becomes.headers).end(becomes.body);
  else if (action.loses === 'answer') incoming.socket.destroy();
  else await deliver(outgoing, whole, action.loses ?? action.garbles);
}

/** A request to the server, like the one that came; its body is still to be sent. */
function onwards(incoming: IncomingMessage, target: string, ca: string, path?: string) {
  const url = new URL(target + (path ?? incoming.url ?? ''));
  const { method, headers } = incoming;
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  // As proxies do, so that a registry names URLs before the proxy.
  const forwarded = { 'x-forwarded-host': headers.host, 'x-forwarded-proto': 'https' };
  const sent = { ...headers, ...forwarded, host: url.host };
  // A connection of its own: none may be stale because the server was restarted meanwhile.
  return send(url, { method, ca, agent: false, headers: sent });
}

async function answerTo(onward: ClientRequest, body: Buffer): Promise<Answer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    onward.once('response', resolve).once('error', reject).end(body);
  });
  return {
    status: answer.statusCode ?? 502,
    headers: answer.headers,
    body: await bytesOf(answer),
  };
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
