/** Certificates as a test wants them, right or wrong: DER by hand, since no tool makes the wrong ones. */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { encodeDer, encodeIdentifier } from '../../src/shared/der.ts';
import { formatPem } from '../../src/shared/pem.ts';

/** What a certificate says. Without more it is a good leaf for code signing. */
export interface CertificateOptions {
  readonly key?: KeyObject;
  /** Signs it; itself by default. */
  readonly issuer?: IssuedCertificate;
  /** Attributes by type in hex; each its own relative distinguished name. */
  readonly subject?: readonly (readonly [type: string, value: string])[];
  readonly from?: Date;
  readonly to?: Date;
  readonly version?: 1 | 3;
  readonly hash?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** In place of {@link LEAF_EXTENSIONS}. */
  readonly extensions?: readonly Extension[];
  readonly serialNumber?: Uint8Array;
}

export interface Extension {
  readonly type: string;
  readonly isCritical: boolean;
  readonly value: Uint8Array;
}

export interface IssuedCertificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  /** Names in DER. */
  readonly subjectName: Buffer;
  readonly issuerName: Buffer;
  readonly serialNumber: Uint8Array;
}

export const COUNTRY = '550406';
export const STATE = '550408';
export const ORGANIZATION = '55040a';
export const UNIT = '55040b';
export const COMMON_NAME = '550403';

/** By name, the bit of a key usage. */
const USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type Usage = (typeof USAGES)[number];
export const PURPOSES = {
  anyExtendedKeyUsage: '551d2500',
  serverAuth: '2b06010505070301',
  clientAuth: '2b06010505070302',
  codeSigning: '2b06010505070303',
  emailProtection: '2b06010505070304',
  timeStamping: '2b06010505070308',
  OCSPSigning: '2b06010505070309',
} as const;

export function keyUsage(usages: readonly Usage[], isCritical = true): Extension {
  const bits = Buffer.alloc(2);
  for (const usage of usages) {
    const bit = USAGES.indexOf(usage);
    bits.writeUInt8(bits.readUInt8(bit >> 3) | (0x80 >> (bit & 7)), bit >> 3);
  }
  const content = bits.readUInt8(1) === 0 ? bits.subarray(0, 1) : bits;
  const last = content.at(-1) ?? 0;
  let unused = 0;
  while (last !== 0 && unused < 7 && ((last >> unused) & 1) === 0) unused++;
  return {
    type: '551d0f',
    isCritical,
    value: encodeDer(0x03, Buffer.from([unused]), content),
  };
}

export function extendedKeyUsage(
  purposes: readonly (keyof typeof PURPOSES)[],
  isCritical = false,
): Extension {
  const value = encodeDer(0x30, ...purposes.map((name) => encodeIdentifier(PURPOSES[name])));
  return { type: '551d25', isCritical, value };
}

export function basicConstraints(isCa: boolean, pathLength?: number, isCritical = true): Extension {
  const value = encodeDer(
    0x30,
    ...(isCa ? [encodeDer(0x01, Buffer.from([0xff]))] : []),
    ...(pathLength === undefined ? [] : [encodeDer(0x02, Buffer.from([pathLength]))]),
  );
  return { type: '551d13', isCritical, value };
}

export const LEAF_EXTENSIONS = [
  basicConstraints(false),
  keyUsage(['digitalSignature']),
  extendedKeyUsage(['codeSigning']),
];
export const CA_EXTENSIONS = [basicConstraints(true), keyUsage(['keyCertSign', 'cRLSign'])];

/** The kinds of keys that may sign. */
export const SIGNING_KEYS = {
  ES256: () => ecKey('P-256'),
  ES384: () => ecKey('P-384'),
  ES512: () => ecKey('P-521'),
  PS256: () => rsaKey(2048),
  PS384: () => rsaKey(3072),
  PS512: () => rsaKey(4096),
} as const;

export function ecKey(namedCurve: string): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey;
}

export function rsaKey(modulusLength: number, publicExponent = 65537): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey;
}

/** The subject of a signer that trust policies can name. */
export function subjectOf(commonName: string) {
  return [
    [COUNTRY, 'DE'],
    [STATE, 'BE'],
    [ORGANIZATION, 'Example'],
    [COMMON_NAME, commonName],
  ] as const;
}

/** Issues a certificate that is valid from yesterday for ten days. */
export function issue(options: CertificateOptions = {}): IssuedCertificate {
  const { key = ecKey('P-256'), issuer, version = 3, hash = 'sha256' } = options;
  const { extensions = LEAF_EXTENSIONS, subject = subjectOf('builds') } = options;
  const subjectName = encodeDer(0x30, ...subject.map(([type, value]) => attribute(type, value)));
  const issuerKey = issuer?.key ?? key;
  const algorithm = signatureAlgorithm(issuerKey, hash);
  const day = 24 * 60 * 60 * 1000;
  const from = options.from ?? new Date(Date.now() - day);
  const to = options.to ?? new Date(Date.now() + 10 * day);
  const issuerName = issuer?.subjectName ?? subjectName;
  const serialNumber = options.serialNumber ?? Buffer.concat([Buffer.from([1]), randomBytes(8)]);
  const body = encodeDer(
    0x30,
    ...(version === 3 ? [encodeDer(0xa0, encodeDer(0x02, Buffer.from([2])))] : []),
    encodeDer(0x02, serialNumber),
    algorithm,
    issuerName,
    encodeDer(0x30, time(from), time(to)),
    subjectName,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0
      ? []
      : [encodeDer(0xa3, encodeDer(0x30, ...extensions.map(encode)))]),
  );
  const signature = sign(issuerKey.asymmetricKeyType === 'ed25519' ? null : hash, body, issuerKey);
  const der = encodeDer(0x30, body, algorithm, encodeDer(0x03, Buffer.alloc(1), signature));
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { der, pem: pemOf(der), key, keyPem, subjectName, issuerName, serialNumber };
}

/** An intermediate certificate, and the root above it. */
export function issueCas() {
  const root = issue({ subject: subjectOf('root'), extensions: CA_EXTENSIONS });
  const subject = subjectOf('intermediate');
  return [issue({ subject, extensions: CA_EXTENSIONS, issuer: root }), root] as const;
}

/** PEM of certificates, one after the other. */
export function bundle(...certificates: readonly IssuedCertificate[]): string {
  return certificates.map(({ pem }) => pem).join('');
}

export function thumbprint({ der }: IssuedCertificate): string {
  return createHash('sha256').update(der).digest('hex');
}

export function pemOf(der: Buffer): string {
  return formatPem({ label: 'CERTIFICATE', headers: new Map(), bytes: der });
}

function attribute(type: string, value: string): Buffer {
  // Countries are PrintableString, addresses IA5String.
  const tag = type === COUNTRY ? 0x13 : /^[\x00-\x7f]*@/.test(value) ? 0x16 : 0x0c;
  return encodeDer(
    0x31,
    encodeDer(0x30, encodeIdentifier(type), encodeDer(tag, Buffer.from(value))),
  );
}

function signatureAlgorithm(key: KeyObject, hash: string): Buffer {
  if (key.asymmetricKeyType === 'ed25519') return encodeDer(0x30, encodeIdentifier('2b6570'));
  const isRsa = key.asymmetricKeyType === 'rsa';
  const last = { sha1: '05', sha256: '0b', sha384: '0c', sha512: '0d' }[hash] ?? '';
  const ecLast = { sha1: '01', sha256: '0302', sha384: '0303', sha512: '0304' }[hash] ?? '';
  return isRsa
    ? encodeDer(0x30, encodeIdentifier(`2a864886f70d0101${last}`), encodeDer(0x05))
    : encodeDer(0x30, encodeIdentifier(`2a8648ce3d04${ecLast}`));
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, '');
  const isFar = date.getUTCFullYear() >= 2050;
  return isFar
    ? encodeDer(0x18, Buffer.from(digits))
    : encodeDer(0x17, Buffer.from(digits.slice(2)));
}

function encode({ type, isCritical, value }: Extension): Buffer {
  const critical = isCritical ? [encodeDer(0x01, Buffer.from([0xff]))] : [];
  return encodeDer(0x30, encodeIdentifier(type), ...critical, encodeDer(0x04, value));
}
