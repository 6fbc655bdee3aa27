/** Certificates over keys of signers, written in DER by hand: node makes none. */
import { createPublicKey, sign } from 'node:crypto';
import { makeKey, relist, type TestKey } from './key.ts';

/** What a root certificate is to say. */
export interface CertificateOptions {
  readonly commonName: string;
  readonly key?: TestKey;
  readonly from?: Date;
  readonly to?: Date;
  readonly digest?: 'sha256' | 'sha1';
  /** Whether it says to be a certificate authority. */
  readonly authority?: boolean;
  /** The octet of its key usage; without one, it may be used for everything. */
  readonly keyUsage?: number;
  /** PEM that follows the certificate in the key, as of intermediates. */
  readonly chain?: string;
}

/** A key listed as a self-signed certificate over it. */
export function makeCertificateKey(options: CertificateOptions): TestKey {
  const key = options.key ?? makeKey();
  const pem = makeCertificate({ ...options, key }) + (options.chain ?? '');
  return relist(key, `${key.keytype}-x509`, Buffer.from(pem).toString('base64'));
}

/** A self-signed certificate in PEM. Without dates, it is good from 2025 to 2035. */
export function makeCertificate(options: CertificateOptions): string {
  const { commonName, key = makeKey(), authority = false, digest = 'sha256' } = options;
  const rsa = key.keytype === 'rsa';
  const algorithm = sequence(
    objectIdentifier(SIGNATURE_ALGORITHMS[`${rsa ? 'rsa' : 'ec'}-${digest}`]),
    ...(rsa ? [der(0x05)] : []),
  );
  const name = sequence(
    der(0x31, sequence(objectIdentifier('550403'), der(0x0c, Buffer.from(commonName)))),
  );
  const constraints = sequence(...(authority ? [der(0x01, Buffer.from([0xff]))] : []));
  const usage =
    options.keyUsage === undefined
      ? []
      : [
          sequence(
            objectIdentifier('551d0f'),
            der(0x04, der(0x03, Buffer.from([0, options.keyUsage]))),
          ),
        ];
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name,
    sequence(
      utcTime(options.from ?? new Date('2025-01-01T00:00:00Z')),
      utcTime(options.to ?? new Date('2035-01-01T00:00:00Z')),
    ),
    name,
    createPublicKey(key.privateKey).export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        sequence(
          objectIdentifier('551d13'),
          der(0x01, Buffer.from([0xff])),
          der(0x04, constraints),
        ),
        ...usage,
      ),
    ),
  );
  const signature = sign(digest, body, key.privateKey);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const SIGNATURE_ALGORITHMS = {
  'ec-sha256': '2a8648ce3d040302',
  'ec-sha1': '2a8648ce3d0401',
  'rsa-sha256': '2a864886f70d01010b',
  'rsa-sha1': '2a864886f70d010105',
};

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

function objectIdentifier(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function utcTime(time: Date): Buffer {
  return der(0x17, Buffer.from(`${time.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}
