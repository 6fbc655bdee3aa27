/**
 * One address before several replicas, as a Service is in a cluster: connections go to replicas that
 * say that they are ready, one after another, and stay with them.
 */
import { once } from 'node:events';
import { request } from 'node:https';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { atExit } from './cleanup.ts';

/** Where requests go. */
export interface ReplicaAddress {
  readonly url: string;
  /** How many replicas get connections now. */
  ready(): number;
  stop(): Promise<void>;
}

/** How often each replica is asked, in milliseconds: faster than a kubelet, for fast tests. */
const PROBE_INTERVAL = 50;

/**
 * Starts it on loopback.
 *
 * @param replicas their base URLs, https; they may come and go
 */
export async function startReplicaAddress(replicas: readonly string[]): Promise<ReplicaAddress> {
  const ready = new Set<string>();
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
  };
  let turn = 0;
  const server = createServer((client) => {
    keep(client);
    const choice = [...ready];
    turn += 1;
    const target = choice[turn % choice.length];
    // As kube-proxy does without endpoints.
    if (target === undefined) return void client.resetAndDestroy();
    const { hostname, port } = new URL(target);
    const upstream = keep(connect(Number(port), hostname));
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let isOver = false;
  const probe = async (url: string): Promise<void> => {
    while (!isOver) {
      if (await isReady(`${url}/readyz`)) ready.add(url);
      else ready.delete(url);
      await pause(PROBE_INTERVAL);
    }
  };
  const probes = replicas.map(probe);
  const forget = atExit(() => server.close());
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ready: () => ready.size,
    stop: async () => {
      forget();
      isOver = true;
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...probes]);
    },
  };
}

/** As a kubelet asks: over a connection of its own, whatever certificate is shown. */
function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request(url, { agent: false, rejectUnauthorized: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    sent.on('error', () => resolve(false)).end();
  });
}
