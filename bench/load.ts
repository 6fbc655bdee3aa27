/**
 * A client that posts the same body over and over, over connections that stay open. It writes a
 * prepared request and looks at little of the answer: on a small machine, what the client spends is
 * missing on the server's side.
 */
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';

/** Where a load goes. */
export interface LoadOptions {
  readonly url: string;
  /** The CA of the server, PEM. */
  readonly ca: string;
  readonly body: string;
  /** How many at a time, each on a connection of its own. */
  readonly connections: number;
}

/** What came of a run. */
export interface Run {
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** Milliseconds an answer took, the fastest first. */
  readonly latencies: readonly number[];
}

/** Connections to a server. */
export interface Load {
  /**
   * Posts without a pause.
   *
   * @param seconds after which no further request starts
   * @throws Error when an answer is another than an admission
   */
  saturate(seconds: number): Promise<Run>;
  /** The same, for so many requests. */
  repeat(count: number): Promise<Run>;
  /**
   * Posts so many a second, evenly spread over the connections. An answer's time counts from when
   * its request was due, so that a server that stalls is not spared those that queue up meanwhile.
   */
  pace(rate: number, seconds: number): Promise<Run>;
  close(): void;
}

/** Opens the connections, and posts once over each. */
export async function openLoad({ url, ca, body, connections }: LoadOptions): Promise<Load> {
  const { hostname, port, pathname } = new URL(url);
  const request = Buffer.from(
    [
      `POST ${pathname} HTTP/1.1`,
      `host: ${hostname}:${port}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ host: hostname, port: Number(port), ca });
      socket.setNoDelay(true);
      await once(socket, 'secureConnect');
      // A connection that asks nothing for five seconds is closed by ours, whoever's turn it is.
      await exchange(socket, request);
      return socket;
    }),
  );
  /** @param work what each connection does until it resolves */
  const run = async (
    work: (post: (due: number) => Promise<void>, index: number, started: number) => Promise<void>,
  ): Promise<Run> => {
    const latencies: number[] = [];
    const started = performance.now();
    await Promise.all(
      sockets.map((socket, index) => {
        const post = async (due: number): Promise<void> => {
          await exchange(socket, request);
          latencies.push(performance.now() - due);
        };
        return work(post, index, started);
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    return { seconds, latencies: latencies.sort((a, b) => a - b) };
  };
  return {
    saturate: (seconds) =>
      run(async (post, _, started) => {
        while (performance.now() < started + seconds * 1000) await post(performance.now());
      }),
    repeat: (count) => {
      let left = count;
      return run(async (post) => {
        while ((left -= 1) >= 0) await post(performance.now());
      });
    },
    pace: (rate, seconds) =>
      run(async (post, index, started) => {
        const interval = (connections / rate) * 1000;
        const end = started + seconds * 1000;
        for (let due = started + (interval * index) / connections; due < end; due += interval) {
          const early = due - performance.now();
          if (early > 0) await pause(early);
          await post(due);
        }
      }),
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** Sends one request, and waits for the whole of its answer. */
function exchange(socket: TLSSocket, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    let whole = Infinity;
    const end = (error?: Error) => {
      socket.off('data', take).off('close', broken).off('error', end);
      if (error) reject(error);
      else resolve();
    };
    const broken = () => end(new Error('the server closed the connection'));
    const take = (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      if (whole === Infinity) whole = lengthOf(received);
      if (received.length < whole) return;
      const isAdmission = received.includes('"allowed":true');
      end(isAdmission ? undefined : new Error(`not an admission: ${received.toString()}`));
    };
    socket.on('data', take).on('close', broken).on('error', end);
    socket.write(request);
  });
}

/** Bytes of the whole answer; Infinity before its head is there. */
function lengthOf(received: Buffer): number {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return Infinity;
  const head = received.toString('latin1', 0, headEnd);
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${head}`);
  return headEnd + HEAD_END.length + Number(length);
}
