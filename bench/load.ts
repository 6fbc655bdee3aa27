/** A client that posts the same body over and over, over connections that stay open. */
import { Agent, request } from 'node:https';
import { performance } from 'node:perf_hooks';
import { textOf } from './loopback-server.ts';

/** Where a load goes. */
export interface LoadOptions {
  readonly url: string;
  /** The authority of the server, PEM. */
  readonly ca: string;
  readonly body: string;
  /** How many at a time, each on a connection of its own. */
  readonly connections: number;
}

/** Connections to a server. */
export interface Load {
  /**
   * Posts without a pause.
   *
   * @param seconds after which no further request starts
   * @returns answers, and the seconds until the last of them
   * @throws Error when an answer is another than 200
   */
  run(seconds: number): Promise<{ readonly answers: number; readonly seconds: number }>;
  close(): void;
}

/** A load; connections open as they are needed. */
export function createLoad({ url, ca, body, connections }: LoadOptions): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, ca });
  const bytes = Buffer.from(body);
  const headers = { 'content-type': 'application/json', 'content-length': bytes.length };
  const post = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const sent = request(url, { method: 'POST', agent, headers });
      sent.on('error', reject);
      sent.on('response', (response) => {
        textOf(response).then((text) => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`${url} answered ${response.statusCode}: ${text}`));
        }, reject);
      });
      sent.end(bytes);
    });
  return {
    run: async (seconds) => {
      const started = performance.now();
      const end = started + seconds * 1000;
      let answers = 0;
      const work = async (): Promise<void> => {
        while (performance.now() < end) {
          await post();
          answers += 1;
        }
      };
      await Promise.all(Array.from({ length: connections }, work));
      return { answers, seconds: (performance.now() - started) / 1000 };
    },
    close: () => agent.destroy(),
  };
}
