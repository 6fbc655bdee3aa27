/**
 * A flood, as a process of its own, until it is ended: arguments are the address of the webhook, its
 * CA, and a file with the flood as JSON.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';

/** A flood as it stands in the file: the body is ready to be sent. */
export type SentFlood =
  | {
      readonly kind: 'requests';
      readonly path: string;
      readonly body: string;
      readonly atOnce: number;
    }
  | { readonly kind: 'idle'; readonly connections: number }
  | { readonly kind: 'slow'; readonly connections: number; readonly lengths: readonly number[] };

/** How many connections are being opened at a time. */
const OPENING = 50;
/** Milliseconds between two bytes of those who are slow. */
const SLOWNESS = 200;

const [url = '', caFile = '', file = ''] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const ca = readFileSync(caFile, 'utf8');
const flood = JSON.parse(readFileSync(file, 'utf8')) as SentFlood;

const opening = semaphore(OPENING);

async function open(): Promise<TLSSocket> {
  const release = await opening();
  const socket = connect({ host: hostname, port: Number(port), ca });
  socket.on('error', () => undefined);
  const [isOpen] = await Promise.race([
    once(socket, 'secureConnect').then(
      () => [true],
      () => [false],
    ),
    once(socket, 'close').then(() => [false]),
  ]);
  release();
  if (isOpen !== true) socket.destroy();
  return socket;
}

function head(path: string, length: number): string {
  return [
    `POST ${path} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    'content-type: application/json',
    `content-length: ${length}`,
    '',
    '',
  ].join('\r\n');
}

/** Posts without a pause. A connection is opened anew when the webhook closes it. */
async function post(path: string, body: Buffer): Promise<never> {
  for (;;) {
    const socket = await open();
    while (!socket.destroyed) {
      socket.write(head(path, body.length));
      socket.write(body);
      // The beginning of an answer, or the end: the next request does not wait for the rest.
      await Promise.race([
        once(socket, 'data').catch(() => undefined),
        once(socket, 'close').catch(() => undefined),
      ]);
      if (socket.readableEnded) socket.destroy();
    }
    await pause(1);
  }
}

async function idle(): Promise<never> {
  for (;;) {
    const socket = (await open()).resume();
    if (!socket.destroyed) await once(socket, 'close').catch(() => undefined);
    await pause(1);
  }
}

async function slow(length: number): Promise<never> {
  for (;;) {
    const socket = (await open()).resume();
    socket.write(head('/mutate', length));
    while (!socket.destroyed) {
      socket.write('{');
      await pause(SLOWNESS);
      if (socket.readableEnded) socket.destroy();
    }
  }
}

/** So many at a time; the others wait. */
function semaphore(most: number): () => Promise<() => void> {
  let left = most;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else left += 1;
  };
  return async () => {
    if (left > 0) left -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return release;
  };
}

const times = <T>(count: number, work: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => work(i));

console.log('flooding');
switch (flood.kind) {
  case 'requests': {
    const body = Buffer.from(flood.body);
    await Promise.all(times(flood.atOnce, () => post(flood.path, body)));
    break;
  }
  case 'idle':
    await Promise.all(times(flood.connections, idle));
    break;
  case 'slow':
    await Promise.all(
      times(flood.connections, (i) => slow(flood.lengths[i % flood.lengths.length] ?? 0)),
    );
    break;
}
// Nothing to send: until it is ended.
setInterval(() => undefined, 1_000);
