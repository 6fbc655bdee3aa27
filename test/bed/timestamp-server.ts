/**
 * A server of timestamps (RFC 3161) on loopback, over plain http as most are: `openssl ts` makes them, under
 * a root of its own.
 */
import { mkdir, readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { createAuthority } from './authority.ts';
import { startHandlerServer } from './handler-server.ts';
import { timestampStamp, type Stamp, type TimestampIdentity } from './timestamp-stamp.ts';

/** A timestamp server to start. */
export interface TimestampServerOptions {
  /** Where its files go; made where it is missing. */
  readonly directory: string;
  /** Answers in its place, by the index of the request; `false`: it answers itself. */
  readonly deviate?: (response: ServerResponse, index: number) => boolean;
}

/** A running timestamp server. */
export interface TimestampServer {
  readonly url: string;
  /** Certificate of its root, PEM. */
  readonly rootPem: string;
  readonly rootFile: string;
  /** Requests so far, DER. */
  readonly requests: readonly Uint8Array[];
  stop(): Promise<void>;
}

/**
 * Starts a timestamp server.
 *
 * @throws Error when a certificate cannot be made
 */
export async function startTimestampServer(
  options: TimestampServerOptions,
): Promise<TimestampServer> {
  const { directory, deviate } = options;
  await mkdir(directory, { recursive: true });
  const authority = await createAuthority(directory);
  const { certificateFile, keyFile } = await authority.issue({ name: 'tsa', usage: 'timestamps' });
  const identity: TimestampIdentity = {
    certificatePem: await readFile(certificateFile, 'utf8'),
    keyPem: await readFile(keyFile, 'utf8'),
    chainPem: authority.certificatePem,
  };
  const server = await serveTimestamps(await timestampStamp({ directory, ...identity }), deviate);
  return { ...server, rootPem: authority.certificatePem, rootFile: authority.certificateFile };
}

/** Serves what stamps requests. */
export async function serveTimestamps(
  stamp: Stamp,
  deviate: NonNullable<TimestampServerOptions['deviate']> = () => false,
): Promise<Pick<TimestampServer, 'url' | 'requests' | 'stop'>> {
  const requests: Uint8Array[] = [];
  /** One after the other: openssl counts in a file. */
  let last: Promise<unknown> = Promise.resolve();
  const server = await startHandlerServer({
    handle: (request, response) => {
      const answer = async () => {
        const query = await buffer(request);
        const index = requests.push(query) - 1;
        if (deviate(response, index)) return;
        const reply = last.then(() => stamp(query));
        last = reply.catch(() => undefined);
        response.setHeader('content-type', 'application/timestamp-reply').end(await reply);
      };
      answer().catch(() => request.socket.destroy());
    },
  });
  return { url: server.url, requests, stop: () => server.stop() };
}
