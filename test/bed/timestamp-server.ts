/**
 * A server of timestamps (RFC 3161) on loopback, over plain http as most are: `openssl ts` makes them, under
 * a root of its own.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createAuthority } from './authority.ts';
import { succeed } from './command.ts';
import { startHandlerServer } from './handler-server.ts';

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
  const { directory, deviate = () => false } = options;
  await mkdir(directory, { recursive: true });
  const authority = await createAuthority(directory);
  const { certificateFile, keyFile } = await authority.issue({ name: 'tsa', usage: 'timestamps' });
  const configuration = join(directory, 'tsa.cnf');
  const settings = {
    serial: join(directory, 'serial'),
    crypto_device: 'builtin',
    signer_cert: certificateFile,
    signer_key: keyFile,
    certs: authority.certificateFile,
    signer_digest: 'sha256',
    default_policy: '1.2.3.4.1',
    digests: 'sha256, sha384, sha512',
    ess_cert_id_chain: 'no',
    ess_cert_id_alg: 'sha256',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  await writeFile(configuration, ['[tsa]', 'default_tsa = own', '[own]', ...lines, ''].join('\n'));

  const requests: Uint8Array[] = [];
  /** One after the other: openssl counts in a file. */
  let last: Promise<unknown> = Promise.resolve();
  const stamp = async (query: Uint8Array, index: number): Promise<Buffer> => {
    const [asked, reply] = [join(directory, `${index}.tsq`), join(directory, `${index}.tsr`)];
    await writeFile(asked, query);
    const args = ['ts', '-reply', '-config', configuration, '-queryfile', asked, '-out', reply];
    await succeed({ program: 'openssl', args, directory });
    return readFile(reply);
  };
  const server = await startHandlerServer({
    handle: (request, response) => {
      const answer = async () => {
        const query = await buffer(request);
        const index = requests.push(query) - 1;
        if (deviate(response, index)) return;
        const reply = last.then(() => stamp(query, index));
        last = reply.catch(() => undefined);
        response.setHeader('content-type', 'application/timestamp-reply').end(await reply);
      };
      answer().catch(() => request.socket.destroy());
    },
  });
  return {
    url: server.url,
    rootPem: authority.certificatePem,
    rootFile: authority.certificateFile,
    requests,
    stop: () => server.stop(),
  };
}
