/**
 * TCP ports on the loopback address for programs that cannot pick one themselves.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** How many ports are tried before giving up: more than one is rare, so many mean something else. */
const ATTEMPTS = 10;

/**
 * A port on 127.0.0.1 that nobody listens on now, and that no other process picks here while this one
 * lives. Another program may take it before its user does: see {@link onFreePort}.
 *
 * @throws Error when none of several ports is free
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // Below the range from which the kernel serves outgoing connections: these come and go between
    // our look and the program's bind.
    const port = randomInt(15_000, 32_000);
    if ((await claim(port)) && (await isFree(port))) return port;
  }
  throw new Error(`none of ${ATTEMPTS} ports on 127.0.0.1 was free`);
}

/**
 * Starts something on a free port, and again on another one when the port was taken meanwhile.
 *
 * @param start has to fail with an error that holds the system's words for it
 * @param pick where the ports come from
 * @throws what `start` throws, unless it is about a port in use
 */
export async function onFreePort<T>(
  start: (port: number) => Promise<T>,
  pick: () => Promise<number> = freePort,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await pick());
    } catch (error) {
      const inUse = /address already in use|EADDRINUSE/.test(String(error));
      if (!inUse || attempt === ATTEMPTS) throw error;
    }
  }
}

/**
 * Holds the UDP port of the same number, which nothing here uses. Between the look at a port and the
 * bind of a slow program, another test run would find it free as well, and each program would take
 * the other's for its own.
 */
function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4').unref();
    socket.once('error', () => resolve(false));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
