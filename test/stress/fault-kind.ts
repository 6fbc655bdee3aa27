/** What may go wrong with one call: every kind of fault, and what must come of it. */
import type { Fault, FaultProxy } from '../bed/fault-proxy.ts';
import type { ProxyAction } from '../bed/proxy.ts';
import type { Service } from '../bed/service.ts';

/** What a fault can get hold of. */
export interface Struck {
  readonly faults: FaultProxy;
  /** Gets the call, or is behind who gets it. */
  readonly server: Pick<Service, 'kill' | 'restart'>;
}

/** A kind of fault. */
export interface FaultKind {
  readonly name: string;
  /** The calls that it can befall. */
  readonly befalls: 'request' | 'body' | 'connection';
  /**
   * What the run must come to: `signed`, since it passes within the deadline; `killed`; or `either`,
   * as long as what is said is true.
   */
  readonly outcome: 'signed' | 'killed' | 'either';
  /** Whether the run ends late, by its deadline or after its last retry. */
  readonly isSlow?: boolean;
  /** @param meanwhile is given what is to be over before the next run */
  readonly fault: (
    struck: Struck,
    killer: AbortController,
    meanwhile: (work: Promise<unknown>) => void,
  ) => Omit<Fault, 'call'>;
}

/** How long a server that goes away stays away, in milliseconds. */
const OUTAGE = 300;

function requests(
  name: string,
  outcome: FaultKind['outcome'],
  request: ProxyAction,
  more: Partial<Pick<FaultKind, 'befalls' | 'isSlow'>> & { readonly persists?: boolean } = {},
): FaultKind {
  const { persists = false, ...rest } = more;
  const fault = () => ({ persists, request: () => request });
  return { name, befalls: 'request', outcome, ...rest, fault };
}

function connections(
  name: string,
  outcome: FaultKind['outcome'],
  connection: 'reset' | 'cut' | 'hang',
  isSlow = false,
): FaultKind {
  return {
    name,
    befalls: 'connection',
    outcome,
    isSlow,
    fault: () => ({ connection: () => connection }),
  };
}

const answered = (status: number) => ({ kind: 'answer', status, body: 'sorry' }) as const;

/** All kinds. One that is harmed once is made good by another try, unless nobody can know that. */
export const FAULT_KINDS: readonly FaultKind[] = [
  requests('cut before the request is read', 'signed', { kind: 'reset' }),
  requests(
    'cut in the middle of the request',
    'signed',
    { kind: 'forward', loses: 'request' },
    { befalls: 'body' },
  ),
  requests('cut before the answer', 'signed', { kind: 'forward', loses: 'answer' }),
  requests('cut in the middle of the answer', 'signed', { kind: 'forward', loses: 'half-answer' }),
  requests('HTTP 500', 'either', answered(500)),
  requests('HTTP 502', 'signed', answered(502)),
  requests('HTTP 503', 'signed', answered(503)),
  requests('a page of HTML', 'either', { kind: 'answer', status: 200, body: '<html>sorry</html>' }),
  requests('JSON that is cut', 'either', { kind: 'forward', garbles: 'cut-json' }),
  requests('less announced than sent', 'either', { kind: 'forward', garbles: 'short-length' }),
  requests('more announced than sent', 'signed', { kind: 'forward', garbles: 'long-length' }),
  requests('an answer in drops', 'signed', { kind: 'forward', garbles: 'slow' }),
  requests(
    'an answer without an end',
    'either',
    { kind: 'forward', garbles: 'endless' },
    { isSlow: true },
  ),
  requests('no answer', 'either', { kind: 'hang' }, { isSlow: true }),
  requests('cut for good', 'either', { kind: 'reset' }, { persists: true, isSlow: true }),
  requests('HTTP 503 for good', 'either', answered(503), { persists: true, isSlow: true }),
  requests('no answer for good', 'either', { kind: 'hang' }, { persists: true, isSlow: true }),
  {
    name: 'all servers gone for a moment',
    befalls: 'request',
    outcome: 'signed',
    fault: ({ faults }, _, meanwhile) => ({
      request: async () => {
        await faults.refuse();
        const back = new Promise((resolve) => setTimeout(resolve, OUTAGE));
        meanwhile(back.then(() => faults.accept()));
        return { kind: 'reset' };
      },
    }),
  },
  {
    name: 'kill -9 of the signer before the call',
    befalls: 'request',
    outcome: 'killed',
    fault: (_, killer) => ({
      request: () => {
        killer.abort();
        return { kind: 'hang' };
      },
    }),
  },
  {
    name: 'kill -9 of the signer after the call',
    befalls: 'request',
    outcome: 'killed',
    fault: (_, killer) => ({
      request: () => ({
        kind: 'forward',
        loses: 'answer',
        answered: () => Promise.resolve(killer.abort()),
      }),
    }),
  },
  {
    name: 'kill -9 of the server before the call',
    befalls: 'request',
    outcome: 'signed',
    fault: ({ server }, _, meanwhile) => ({
      request: async () => {
        await server.kill();
        meanwhile(server.restart());
        return { kind: 'reset' };
      },
    }),
  },
  {
    name: 'kill -9 of the server after the call',
    befalls: 'request',
    outcome: 'signed',
    fault: ({ server }, _, meanwhile) => ({
      request: () => ({
        kind: 'forward',
        loses: 'answer',
        answered: async () => {
          await server.kill();
          meanwhile(server.restart());
        },
      }),
    }),
  },
  connections('a connection that is reset', 'signed', 'reset'),
  connections('a TLS handshake that is cut', 'signed', 'cut'),
  connections('a connection without a word', 'either', 'hang', true),
];
