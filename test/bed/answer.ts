/**
 * Answers over HTTP/1.1 as broken middle boxes pass them on, byte for byte.
 */
import { STATUS_CODES, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * What happens to an answer: `cut-json` ends in the middle, with the length of what there is.
 * `short-length` and `long-length` announce less or more than there is. `slow` comes in many drops
 * within a second or two. `endless` does so, too, and nobody lives to see its end.
 */
export type Garbling = 'cut-json' | 'short-length' | 'long-length' | 'slow' | 'endless';

/** Into how many drops an answer is divided, down to single bytes. */
const DROPS = 250;
/** How long a slow answer takes, and how long an endless one takes for each drop; milliseconds. */
const SLOW = 1000;
const ENDLESS_STEP = 500;

/** Passes an answer on; the connection ends with all that are not whole. */
export async function deliver(
  response: ServerResponse,
  { status, headers, body }: Answer,
  how: Garbling | 'half-answer' | undefined,
): Promise<void> {
  // The answer to a HEAD tells the length of what is not sent.
  const isHead = response.req.method === 'HEAD';
  const headersOf = (length: number) => (isHead ? headers : withLength(headers, length));
  if (how === undefined) {
    response.writeHead(status, headersOf(body.length)).end(body);
    return;
  }
  const socket = response.socket;
  if (socket === null) return;
  const half = body.subarray(0, body.length / 2);
  const raw = (length: number, sent: Buffer): Buffer =>
    Buffer.concat([head(status, headersOf(length)), sent]);
  const whole = raw(body.length, body);
  switch (how) {
    case 'half-answer':
      // Where there is no body, the head is what can be cut.
      return write(socket, whole.subarray(0, whole.length - (body.length || whole.length) / 2));
    case 'cut-json':
      return write(socket, raw(half.length, half));
    case 'short-length':
      return write(socket, raw(half.length, body));
    case 'long-length':
      return write(socket, raw(body.length + 100, body));
    case 'slow':
      return drip(socket, whole, SLOW / DROPS);
    case 'endless':
      return drip(socket, whole, ENDLESS_STEP);
  }
}

function withLength(headers: IncomingHttpHeaders, length: number): IncomingHttpHeaders {
  const { 'transfer-encoding': _, ...others } = headers;
  return { ...others, 'content-length': String(length) };
}

function head(status: number, headers: IncomingHttpHeaders): Buffer {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((text) => `${name}: ${text}`),
  );
  const first = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
  return Buffer.from([first, ...lines, '', ''].join('\r\n'));
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  await new Promise((resolve) => socket.write(bytes, resolve));
  socket.destroy();
}

/** Writes drop by drop; each not before its time, so many milliseconds after the one before. */
async function drip(socket: Socket, bytes: Buffer, step: number): Promise<void> {
  socket.setNoDelay(true);
  const start = performance.now();
  const size = Math.ceil(bytes.length / DROPS);
  for (let drop = 0; drop * size < bytes.length && !socket.destroyed; drop += 1) {
    const early = drop * step - (performance.now() - start);
    await pause(Math.max(0, early), undefined, { ref: false });
    socket.write(bytes.subarray(drop * size, (drop + 1) * size));
  }
  socket.end();
}
