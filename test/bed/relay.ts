/**
 * A TCP relay before a server: it looks into nothing, counts what passes, makes the way longer, and
 * breaks connections where a rule says so.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { atExit } from './cleanup.ts';

/**
 * What becomes of a connection: passed on; reset as soon as it is there; cut when the server's first
 * bytes (of the TLS handshake) are half through; or left without a word.
 */
export type ConnectionAction = 'forward' | 'reset' | 'cut' | 'hang';

/** A relay to start. */
export interface RelayOptions {
  /** Base URL of the server: its scheme and path are those of the relay's too. */
  readonly target: string;
  /**
   * Time of a round trip in milliseconds, half of it each way; none by default. Connecting takes one
   * as well: since the system accepts at once, the client's first bytes are later by as much.
   */
  readonly roundTrip?: number;
  /** Asked for each connection, in order; by default all are forwarded. */
  readonly rule?: (index: number) => ConnectionAction | Promise<ConnectionAction>;
}

/** What went through a relay so far. */
export interface Traffic {
  connections: number;
  /** Connections whose client began a TLS handshake. */
  handshakes: number;
  bytesToServer: number;
  bytesToClient: number;
}

/** A running relay. */
export interface Relay {
  readonly url: string;
  readonly traffic: Readonly<Traffic>;
  /** Lets connections be refused, and cuts those that are there. */
  refuse(): Promise<void>;
  /** Listens again, on the same port. */
  accept(): Promise<void>;
  stop(): Promise<void>;
}

/** The first byte of a TLS record with a part of a handshake. */
const HANDSHAKE = 0x16;

/** Starts a relay on loopback. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { target, roundTrip = 0, rule = () => 'forward' as const } = options;
  const upstream = new URL(target);
  const traffic = { connections: 0, handshakes: 0, bytesToServer: 0, bytesToClient: 0 };
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
  };
  const relay = async (client: Socket): Promise<void> => {
    const open = performance.now() + roundTrip;
    traffic.connections += 1;
    const action = await rule(traffic.connections - 1);
    if (action === 'reset') client.resetAndDestroy();
    if (action === 'reset' || action === 'hang' || client.destroyed) return;
    const server = keep(connect(Number(upstream.port), upstream.hostname).setNoDelay(true));
    client.once('data', (bytes: Buffer) => (traffic.handshakes += bytes[0] === HANDSHAKE ? 1 : 0));
    pass(client, server, roundTrip / 2, open, (bytes) => (traffic.bytesToServer += bytes));
    if (action === 'cut') {
      server.once('data', (bytes: Buffer) => {
        client.write(bytes.subarray(0, bytes.length / 2), () => client.destroy());
        server.destroy();
      });
    } else {
      pass(server, client, roundTrip / 2, 0, (bytes) => (traffic.bytesToClient += bytes));
    }
  };
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    void relay(keep(client)).then(() => client.resume());
  });
  const listen = async (port: number): Promise<void> => {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const forget = atExit(() => server.close());
  const url = Object.assign(new URL(target), { port: String(port) });
  return {
    url: url.href.replace(/\/$/, ''),
    traffic,
    refuse: close,
    accept: () => listen(port),
    stop: async () => {
      await close();
      forget();
    },
  };
}

/** Passes on what comes, in order: later by a delay, and not before a time. */
function pass(
  from: Socket,
  to: Socket,
  delay: number,
  notBefore: number,
  count: (bytes: number) => void,
): void {
  let last = Promise.resolve();
  const later = (act: () => void): void => {
    if (delay === 0) return act();
    const due = Math.max(performance.now(), notBefore) + delay;
    last = last
      .then(() => pause(Math.max(0, due - performance.now()), undefined, { ref: false }))
      .then(act);
  };
  from.on('data', (bytes: Buffer) => {
    count(bytes.length);
    later(() => to.write(bytes));
  });
  from.on('end', () => later(() => to.end()));
  from.on('close', (isBroken) => later(() => (isBroken ? to.destroy() : to.end())));
}
