import { setMaxListeners } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { cut } from '../../shared/shown-value.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { connectionFailure, demandOfCertificate } from './connection-failure.ts';
import { createConnectionLimit, type ConnectionLimit } from './connection-limit.ts';
import { exchange } from './http-exchange.ts';
import type { ProxyServer, ProxySettings } from './proxy-settings.ts';
import { proxyFailure, proxyRefusal, TunnelAgent } from './proxy-tunnel.ts';
import { trustRoots } from './tls-roots.ts';
import { isRead, type HttpRequest, type HttpResponse } from './http-message.ts';
import { isOutOfFiles } from '../io/out-of-files.ts';

/** Sends requests over kept-alive connections, straight or through proxies. */
export interface HttpClient {
  /**
   * @throws SigningError SERVER_UNREACHABLE, SERVER_UNTRUSTED, DEADLINE_EXCEEDED; SERVER_FAILED when
   * the answer is too long, or redirects lead nowhere
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
  /** Shared with other clients; of this one alone where nothing else is said. */
  readonly connections?: ConnectionLimit;
  /** How long a server may say nothing, in milliseconds; 30 seconds where nothing else is said. */
  readonly silenceLimit?: number;
  /** Work that costs no time: called whenever all requests are on their way, and answers awaited. */
  readonly whileWaiting?: () => void;
}

const SILENCE_LIMIT_MS = 30_000;
/** Node gives an address a quarter of a second before it tries the next: too short across oceans. */
const ATTEMPT_LIMIT_MS = 2_000;
const MOST_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { ca, proxy: proxies, silenceLimit = SILENCE_LIMIT_MS } = options;
  const { connections = createConnectionLimit(), whileWaiting = () => undefined } = options;
  const closing = new AbortController();
  const signal = AbortSignal.any([options.signal, closing.signal]);
  // One a request that is on its way: many at once are no leak.
  setMaxListeners(0, signal);
  const kept = { keepAlive: true, autoSelectFamilyAttemptTimeout: ATTEMPT_LIMIT_MS };
  // Made once: Node would parse all certificates again for each connection.
  const secure = { ...kept, secureContext: trustRoots(ca) };
  const http = new HttpAgent(kept);
  const https = new HttpsAgent(secure);
  const tunnels = new Map<string, TunnelAgent>();
  for (const agent of [http, https]) connections.watch(agent);

  const straightTo = ({ protocol }: URL) => (protocol === 'https:' ? https : http);
  const through = (proxy: ProxyServer): TunnelAgent => {
    const { href } = proxy.url;
    const tunnel = { proxy, agent: straightTo(proxy.url), signal, silenceLimit };
    const agent = tunnels.get(href) ?? new TunnelAgent(tunnel, secure);
    tunnels.set(href, agent);
    connections.watch(agent);
    return agent;
  };

  const unsent = new Set<HttpRequest>();
  const sendOnce = async (request: HttpRequest): Promise<HttpResponse> => {
    const { url } = request;
    const proxy = proxies.proxyFor(url);
    // Behind a proxy, TLS goes through it; plain http is asked of it.
    const asked = url.protocol === 'http:' ? proxy : undefined;
    const agent = proxy && !asked ? through(proxy) : straightTo(asked?.url ?? url);
    unsent.add(request);
    const sent = () => {
      if (unsent.delete(request) && unsent.size === 0) whileWaiting();
    };
    try {
      const answer = await connections.run(() =>
        exchange(request, { agent, proxy: asked, signal, silenceLimit, sent }),
      );
      if (asked && answer.status === 407) throw proxyRefusal(url.host, asked, answer);
      const demand = demandOfCertificate(url, answer);
      if (demand) throw demand;
      return answer;
    } catch (error) {
      if (signal.aborted && signal.reason instanceof SigningError) throw signal.reason;
      if (error instanceof SigningError) throw error;
      const cause = causeOf(error);
      throw asked ? proxyFailure(url.host, asked, cause) : connectionFailure(url, cause);
    } finally {
      unsent.delete(request);
    }
  };

  return {
    send: async (request) => {
      if (request.redirects !== 'follow' || !isRead(request)) return sendOnce(request);
      let current = request;
      for (let followed = 0; followed <= MOST_REDIRECTS; followed++) {
        const answer = await sendOnce(current);
        const next = redirectOf(answer);
        if (!next) return answer;
        current = redirected(current, next);
      }
      const what = `${request.url.origin} redirects ${request.url.pathname} more than ${MOST_REDIRECTS} times`;
      throw new SigningError('SERVER_FAILED', what);
    },
    close: () => {
      closing.abort();
      for (const agent of [http, https, ...tunnels.values()]) agent.destroy();
    },
  };
}

/** A resolver that cannot open its files says that there is no such name. */
function causeOf(error: unknown): unknown {
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'getaddrinfo') return error;
  try {
    closeSync(openSync('/dev/null', 'r'));
    return error;
  } catch (cause) {
    return isOutOfFiles(cause) ? cause : error;
  }
}

/**
 * Where an answer points to, for a message: without credentials and query, which may hold a token.
 * Empty where it points nowhere.
 */
export function pointedTo(answer: HttpResponse): string {
  if (answer.headers.location === undefined) return '';
  const to = redirectOf(answer);
  return to ? `, and points to ${cut(to.origin + to.pathname)}` : ', and points elsewhere';
}

/** Where an answer points to; undefined when it is no redirect, or points nowhere. */
function redirectOf({ status, headers: { location }, url }: HttpResponse): URL | undefined {
  if (!REDIRECTS.has(status) || location === undefined) return undefined;
  return URL.canParse(location, url.href) ? new URL(location, url) : undefined;
}

function redirected(request: HttpRequest, url: URL): HttpRequest {
  // Node would make an Authorization header of them.
  url.username = '';
  url.password = '';
  const isKept = url.protocol === 'https:' || request.url.protocol === url.protocol;
  if (!isKept || !/^https?:$/.test(url.protocol)) {
    const what = `${request.url.origin} redirects ${request.url.pathname} to ${url.origin}`;
    throw new SigningError('SERVER_FAILED', `${what}, which is not https`);
  }
  if (url.origin === request.url.origin) return { ...request, url };
  // A stranger has no say in what is asked with authorization, wherever it leads.
  const { authorization: _, ...others } = request;
  return { ...others, url };
}
