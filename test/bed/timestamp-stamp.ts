/** Timestamps (RFC 3161) by the openssl program, under any identity. */
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from './command.ts';

/** Who stamps, as PEM. */
export interface TimestampIdentity {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** What tokens carry beside the certificate of the signer; often the certificates above it. */
  readonly chainPem?: string;
}

export interface TimestampOptions extends TimestampIdentity {
  /** Where its files go; made where it is missing. */
  readonly directory: string;
  /** Lines for openssl's section, such as `accuracy = secs:1`; they win over the usual ones. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Answers one request in DER. @throws Error with openssl's output when it fails */
export type Stamp = (request: Uint8Array) => Promise<Buffer>;

/** Makes what answers requests, without a server. */
export async function timestampStamp(options: TimestampOptions): Promise<Stamp> {
  const { directory, certificatePem, keyPem, chainPem } = options;
  await mkdir(directory, { recursive: true });
  const write = async (name: string, text: string) => {
    const file = join(directory, name);
    await writeFile(file, text);
    return file;
  };
  const settings = {
    serial: await write('serial', '01\n'),
    signer_cert: await write('signer.crt', certificatePem),
    signer_key: await write('signer.key', keyPem),
    ...(chainPem !== undefined && { certs: await write('chain.crt', chainPem) }),
    signer_digest: 'sha256',
    default_policy: '1.2.3.4.1',
    digests: 'sha256, sha384, sha512',
    ess_cert_id_chain: 'no',
    ess_cert_id_alg: 'sha256',
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  const file = await write('tsa.cnf', `[tsa]\ndefault_tsa = bed\n[bed]\n${lines.join('')}`);
  return async (request) => {
    const place = await mkdtemp(join(directory, 'request-'));
    const [query, reply] = [join(place, 'query'), join(place, 'reply')];
    await writeFile(query, request);
    const args = ['ts', '-reply', '-config', file, '-queryfile', query, '-out', reply];
    await succeed({ program: 'openssl', args, directory: place });
    return readFile(reply);
  };
}
