/**
 * Faults on the way to servers: every connection and every request has a name, and any one of them
 * can be harmed. A client's clean run tells the names, so that no list of its calls has to be kept.
 */
import type { Authority } from './authority.ts';
import { FORWARD, startProxy, type ProxiedRequest, type ProxyAction } from './proxy.ts';
import { startRelay, type ConnectionAction, type Relay } from './relay.ts';

/** Harm to one call, or to it and to all after it. */
export interface Fault {
  /** As in {@link FaultProxy.calls}. */
  readonly call: string;
  /** What becomes of a request. */
  readonly request?: () => ProxyAction | Promise<ProxyAction>;
  /** What becomes of a connection. */
  readonly connection?: () => ConnectionAction | Promise<ConnectionAction>;
  /** Whether all later calls are harmed in the same way. */
  readonly persists?: boolean;
}

/** A way to servers on which calls are named and harmed. */
export interface FaultProxy {
  /**
   * Stands before a server.
   *
   * @param name of the server, in the names of calls
   * @param target its base URL
   * @returns the URL to call instead
   */
  before(name: string, target: string): Promise<string>;
  /**
   * Names of the calls since {@link FaultProxy.arm}, in order: `connect notary #1`,
   * `notary GET root.json #1`, and so on; hashes in names are left out.
   */
  readonly calls: readonly string[];
  /** Forgets the calls so far, and harms the given one from now on. */
  arm(fault?: Fault): void;
  /** Whether the call that was to be harmed came. */
  struck(): boolean;
  /** Refuses connections to all servers, and cuts those that are there, until {@link accept}. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  stop(): Promise<void>;
}

/** A way to servers; {@link FaultProxy.before} adds them, each with a port of its own. */
export function createFaultProxy(authority: Authority): FaultProxy {
  let fault: Fault | undefined;
  let calls: string[] = [];
  let counts = new Map<string, number>();
  let struck = false;

  /** Names the call, and tells whether it is to be harmed. */
  const isHarmed = (what: string): boolean => {
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    const call = `${what} #${count}`;
    calls.push(call);
    const isFirst = fault?.call === call;
    struck ||= isFirst;
    return isFirst || (struck && fault?.persists === true);
  };

  const parts: { stop(): Promise<void> }[] = [];
  const relays: Relay[] = [];
  return {
    before: async (name, target) => {
      const proxy = await startProxy({
        authority,
        target,
        rule: (request) =>
          isHarmed(`${name} ${describe(request)}`) ? (fault?.request?.() ?? FORWARD) : FORWARD,
      });
      parts.push(proxy);
      const relay = await startRelay({
        target: proxy.url,
        rule: () =>
          isHarmed(`connect ${name}`) ? (fault?.connection?.() ?? 'forward') : 'forward',
      });
      parts.push(relay);
      relays.push(relay);
      return relay.url;
    },
    get calls() {
      return calls;
    },
    arm: (next) => {
      fault = next;
      calls = [];
      counts = new Map();
      struck = false;
    },
    struck: () => struck,
    refuse: () => all(relays, (relay) => relay.refuse()),
    accept: () => all(relays, (relay) => relay.accept()),
    stop: () => all(parts, (part) => part.stop()),
  };
}

async function all<T>(parts: readonly T[], act: (part: T) => Promise<void>): Promise<void> {
  await Promise.all(parts.map(act));
}

/** A request by what is the same in every run: without repository, query, hashes and names of uploads. */
function describe({ method, path }: ProxiedRequest): string {
  const place = path
    .replace(/\?.*/, '')
    .replace(/^.*\/_trust\/tuf\/|^\/v2\/.*\/(?=(?:manifests|blobs|referrers)\/)/, '')
    .replace(/[0-9a-f]{64}|(?<=^blobs\/uploads\/).+/, '*');
  return `${method} ${place}`.trimEnd();
}
