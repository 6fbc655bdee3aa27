/** Replies of a timestamp server that openssl would not give: DER by hand. */
import { createHash, sign } from 'node:crypto';
import { encodeDer, encodeIdentifier } from '../../src/shared/der.ts';
import type { IssuedCertificate } from './issued-certificate.ts';

const TST_INFO = '2a864886f70d0109100104';
const SHA256 = encodeDer(0x30, encodeIdentifier('608648016503040201'));
const integer = (...octets: readonly number[]) => encodeDer(0x02, Buffer.from(octets));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const attribute = (type: string, value: Buffer) =>
  encodeDer(0x30, encodeIdentifier(type), encodeDer(0x31, value));

/** What a token is made of; the defaults make a good one. */
export interface TokenDraft {
  readonly contentType: string;
  readonly signedDataVersion: number;
  readonly tstVersion: number;
  readonly signerVersion: number;
  readonly time: Buffer;
  /** In the order in which they are sent; signed they are in the order of DER. */
  readonly attributes: readonly Buffer[];
  readonly certificates: readonly Buffer[];
  readonly signatures: number;
}

/** Signs a reply with an EC key, over SHA-256. */
export function timestampReply(
  signer: IssuedCertificate,
  carries: readonly IssuedCertificate[],
  signature: Uint8Array,
  nonce: Uint8Array,
  change: (draft: TokenDraft) => Partial<TokenDraft> = () => ({}),
): Buffer {
  const digits = new Date().toISOString().replace(/\.\d+|[-:T]/g, '');
  const time = encodeDer(0x18, Buffer.from(digits));
  const usual: Omit<TokenDraft, 'attributes'> = {
    contentType: TST_INFO,
    signedDataVersion: 3,
    tstVersion: 1,
    signerVersion: 1,
    time,
    certificates: [signer, ...carries].map(({ der }) => der),
    signatures: 1,
  };
  const infoOf = ({ tstVersion, time }: Pick<TokenDraft, 'tstVersion' | 'time'>) =>
    encodeDer(
      0x30,
      integer(tstVersion),
      encodeIdentifier('2a0304'),
      encodeDer(0x30, SHA256, encodeDer(0x04, sha256(signature))),
      integer(7),
      time,
      encodeDer(0x02, nonce),
    );
  const attributesFor = (info: Buffer) => [
    contentTypeAttribute(TST_INFO),
    digestAttribute(info),
    signerAttribute(signer),
  ];
  const draft = { ...usual, attributes: attributesFor(infoOf(usual)) };
  const asked = change(draft);
  const final = { ...usual, ...asked };
  const info = infoOf(final);
  const attributes = asked.attributes ?? attributesFor(info);
  const signed = encodeDer(0x31, ...[...attributes].sort((a, b) => Buffer.compare(a, b)));
  const signerInfo = encodeDer(
    0x30,
    integer(final.signerVersion),
    issuerAndSerial(signer),
    SHA256,
    encodeDer(0xa0, ...attributes),
    encodeDer(0x30, encodeIdentifier('2a8648ce3d040302')),
    encodeDer(0x04, sign('sha256', signed, signer.key)),
  );
  const signedData = encodeDer(
    0x30,
    integer(final.signedDataVersion),
    encodeDer(0x31, SHA256),
    encodeDer(0x30, encodeIdentifier(final.contentType), encodeDer(0xa0, encodeDer(0x04, info))),
    encodeDer(0xa0, ...final.certificates),
    encodeDer(0x31, ...Array<Buffer>(final.signatures).fill(signerInfo)),
  );
  const token = encodeDer(
    0x30,
    encodeIdentifier('2a864886f70d010702'),
    encodeDer(0xa0, signedData),
  );
  return encodeDer(0x30, encodeDer(0x30, integer(0)), token);
}

export function contentTypeAttribute(type: string): Buffer {
  return attribute('2a864886f70d010903', encodeIdentifier(type));
}

export function digestAttribute(content: Uint8Array): Buffer {
  return attribute('2a864886f70d010904', encodeDer(0x04, sha256(content)));
}

export function signingTimeAttribute(time: Date): Buffer {
  const digits = time.toISOString().replace(/\.\d+|[-:T]/g, '');
  return attribute('2a864886f70d010905', encodeDer(0x17, Buffer.from(digits.slice(2))));
}

/** SigningCertificateV2, without issuer and serial number. */
export function signerAttribute({ der }: IssuedCertificate): Buffer {
  const certificate = encodeDer(0x30, encodeDer(0x04, sha256(der)));
  const value = encodeDer(0x30, encodeDer(0x30, certificate));
  return attribute('2a864886f70d010910022f', value);
}

function issuerAndSerial({ issuerName, serialNumber }: IssuedCertificate): Buffer {
  return encodeDer(0x30, issuerName, encodeDer(0x02, serialNumber));
}
