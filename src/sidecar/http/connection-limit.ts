import type { Agent } from 'node:http';
import type { Socket } from 'node:net';

/** Bounds the connections of all HTTP clients that share it; those kept for later count, too. */
export interface ConnectionLimit {
  /** Counts the connections of an agent. */
  watch(agent: Agent): void;
  /**
   * Does what needs one connection, when there is room for it. Where it opens a new one, an idle one of
   * whichever server is closed for that.
   */
  run<T>(exchange: () => Promise<T>): Promise<T>;
}

/** A repository can have more delegations than a container may open files. */
const MOST_CONNECTIONS = 16;

export function createConnectionLimit(most = MOST_CONNECTIONS): ConnectionLimit {
  const agents = new Set<Agent>();
  const waiting: (() => void)[] = [];
  let busy = 0;

  /** The connections in use, or the idle ones, of all agents. */
  const all = (kind: 'sockets' | 'freeSockets'): readonly Socket[] =>
    [...agents]
      .flatMap((agent) => Object.values(agent[kind]).flatMap((sockets = []) => sockets))
      .filter(({ destroyed }) => !destroyed);
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else busy--;
  };

  return {
    watch: (agent) => void agents.add(agent),
    run: async (exchange) => {
      if (busy < most) busy++;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        const answer = exchange();
        // What it could use again is no longer idle.
        const idle = all('freeSockets');
        const over = Math.max(0, all('sockets').length + idle.length - most);
        for (const socket of idle.slice(0, over)) socket.destroy();
        return await answer;
      } finally {
        // By then Node has put the connection among the idle ones, or closed it.
        setImmediate(release);
      }
    },
  };
}
