/** Small HTTPS servers of the bench, each a process of its own. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Authority } from '../test/bed/authority.ts';
import { startChild } from '../test/bed/child.ts';
import { benchProgram } from './programs.ts';

/** What a server prints once it listens. */
const URL_LINE = /^https:\/\/\S+$/m;

/** A running server. */
export interface LoopbackServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Starts a program of the bench that calls {@link serve}.
 *
 * @param name the program
 * @param args what it gets beside its certificate and key
 */
export async function startLoopbackServer(
  name: string,
  directory: string,
  authority: Authority,
  args: readonly string[] = [],
): Promise<LoopbackServer> {
  const { certificateFile, keyFile } = await authority.issue({ name });
  const child = await startChild({
    program: process.execPath,
    args: [benchProgram(name), certificateFile, keyFile, ...args],
    directory,
    ready: (output) => URL_LINE.test(output),
  });
  const url = URL_LINE.exec(child.output())?.[0] ?? '';
  return { url, pid: child.pid, stop: () => child.stop() };
}

/** Serves under the certificate and key of the first two arguments, and prints its URL. */
export function serve(listener: RequestListener): void {
  const [certificateFile = '', keyFile = ''] = process.argv.slice(2);
  const pair = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  const server = createServer({ ...pair, keepAliveTimeout: 120_000 }, listener);
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`https://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
}

/** The text of a body. */
export async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += String(chunk);
  return text;
}
