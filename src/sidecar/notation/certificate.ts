import { X509Certificate, type KeyObject } from 'node:crypto';
import {
  BIT_STRING,
  booleanOf,
  BOOLEAN,
  contentOf,
  dottedIdentifier,
  encodeDer,
  encodeIdentifier,
  identifierOf,
  INTEGER,
  integerOf,
  NULL,
  OCTET_STRING,
  readDer,
  SEQUENCE,
  sequenceOf,
  SET,
  timeOf,
  type DerValue,
} from '../../shared/der.ts';
import { refusalOfGo, type Extension } from './strict-certificate.ts';
import { HASH_BYTES, type JwsHash } from './jws-algorithm.ts';
import { cut } from '../../shared/shown-value.ts';

/** A certificate (RFC 5280), with what the rules of a chain ask about. */
export interface Certificate {
  readonly der: Buffer;
  /** For people: `C=DE, O=Example, CN=builds`. */
  readonly subject: string;
  readonly issuer: string;
  /** The content of a Name in DER. */
  readonly subjectName: Buffer;
  readonly issuerName: Buffer;
  /** The content of an INTEGER in DER. */
  readonly serialNumber: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly isVersion3: boolean;
  /** Whether it is signed with SHA-2 in a way that verifiers know. */
  readonly isSignedWithSha2: boolean;
  /** Why verifiers in Go do not read it: the rest of a sentence whose subject is the certificate. */
  readonly refusal?: string;
  /** Undefined for a key that OpenSSL does not read. */
  readonly publicKey: KeyObject | undefined;
  readonly basicConstraints?: {
    readonly isCritical: boolean;
    readonly isCa: boolean;
    readonly pathLength?: number;
  };
  /** `usages` as OpenSSL names them: `digitalSignature`. */
  readonly keyUsage?: { readonly isCritical: boolean; readonly usages: readonly string[] };
  /** `purposes` as OpenSSL names them, such as `codeSigning`; others in dotted form. */
  readonly extendedKeyUsage?: {
    readonly isCritical: boolean;
    readonly purposes: readonly string[];
  };
  /** Object identifiers of the critical extensions, the hex of their content. */
  readonly criticalExtensions: readonly string[];
}

/** Tags of the version and of the extensions within a certificate. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
/** Object identifiers, the hex of their content. */
export const BASIC_CONSTRAINTS = '551d13';
export const KEY_USAGE = '551d0f';
export const EXTENDED_KEY_USAGE = '551d25';
const RSA_PSS = '2a864886f70d01010a';
const MGF1 = '2a864886f70d010108';
const SHA2: Readonly<Record<JwsHash, string>> = {
  sha256: '608648016503040201',
  sha384: '608648016503040202',
  sha512: '608648016503040203',
};
/** RSA (PKCS #1 v1.5) and ECDSA over SHA-256, SHA-384 and SHA-512, and Ed25519. */
const SHA2_SIGNATURES = [
  ...['2a864886f70d01010b', '2a864886f70d01010c', '2a864886f70d01010d'],
  ...['2a8648ce3d040302', '2a8648ce3d040303', '2a8648ce3d040304'],
  '2b6570',
];
/** By bit: RFC 5280, 4.2.1.3. */
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
];
const PURPOSES: ReadonlyMap<string, string> = new Map([
  ['551d2500', 'anyExtendedKeyUsage'],
  ['2b06010505070301', 'serverAuth'],
  ['2b06010505070302', 'clientAuth'],
  ['2b06010505070303', 'codeSigning'],
  ['2b06010505070304', 'emailProtection'],
  ['2b06010505070308', 'timeStamping'],
  ['2b06010505070309', 'OCSPSigning'],
]);
const LONGEST_SUBJECT = 200;

/**
 * Reads one certificate, if OpenSSL does.
 *
 * @throws Error when it cannot be read
 */
export function readCertificate(bytes: Uint8Array): Certificate {
  const der = Buffer.from(bytes);
  const [body, algorithm] = sequenceOf(readDer(der)[0]);
  const x509 = new X509Certificate(der);
  const values = sequenceOf(body);
  const version = values[0]?.tag === VERSION ? readDer(values[0].content)[0] : undefined;
  const [serial, , issuer, validity, subject, key] = version ? values.slice(1) : values;
  const [notBefore, notAfter] = sequenceOf(validity);
  const serialNumber = contentOf(serial, INTEGER);
  const extensions = readExtensions(values.find(({ tag }) => tag === EXTENSIONS));
  const extensionOf = (wanted: string) =>
    extensions.find(({ identifier }) => identifier === wanted);
  const names = [contentOf(subject, SEQUENCE), contentOf(issuer, SEQUENCE)] as const;
  const refusal = refusalOfGo({ der, serialNumber, names, key, extensions });
  return {
    der,
    subject: shownName(x509.subject),
    issuer: shownName(x509.issuer),
    subjectName: names[0],
    issuerName: names[1],
    serialNumber,
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    isVersion3: version !== undefined && integerOf(version) === 2,
    isSignedWithSha2: isSha2(contentOf(algorithm, SEQUENCE)),
    publicKey: publicKeyOf(x509),
    ...(refusal !== undefined && { refusal }),
    ...readBasicConstraints(extensionOf(BASIC_CONSTRAINTS)),
    ...readKeyUsage(extensionOf(KEY_USAGE)),
    ...readExtendedKeyUsage(extensionOf(EXTENDED_KEY_USAGE)),
    criticalExtensions: extensions
      .filter(({ isCritical }) => isCritical)
      .map(({ identifier }) => identifier),
  };
}

/** Whether one certificate is issued by another, or by itself: by name and by signature. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  const { der, issuerName } = certificate;
  if (!issuerName.equals(issuer.subjectName) || !issuer.publicKey) return false;
  try {
    return new X509Certificate(der).verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** Whether it is a root: issued by itself. */
export function isSelfSigned(certificate: Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

/** The types of a subject's attributes in dotted form, by relative distinguished name. */
export function attributeTypes({ subjectName }: Certificate): readonly (readonly string[])[] {
  return readDer(subjectName).map((name) =>
    readDer(contentOf(name, SET)).map((attribute) =>
      dottedIdentifier(identifierOf(sequenceOf(attribute)[0])),
    ),
  );
}

function shownName(name: string | undefined): string {
  // Node 20 has undefined where a name has no attributes, whatever its types say.
  return cut((name ?? '').replaceAll('\n', ', ') || 'no name', LONGEST_SUBJECT);
}

function publicKeyOf(x509: X509Certificate): KeyObject | undefined {
  try {
    return x509.publicKey;
  } catch {
    return undefined;
  }
}

/** @param algorithm the content of an AlgorithmIdentifier */
function isSha2(algorithm: Buffer): boolean {
  const [identifier, parameters] = readDer(algorithm);
  const hex = identifierOf(identifier);
  if (hex !== RSA_PSS) return SHA2_SIGNATURES.includes(hex);
  return PSS_PARAMETERS.some((expected) => parameters?.content.equals(expected));
}

/** RFC 4055, 3.1: hash and mask hash are the same, and the salt is as long. Go takes no others. */
const PSS_PARAMETERS = (['sha256', 'sha384', 'sha512'] as const).flatMap((hash) =>
  [[encodeDer(NULL)], []].map((none) => {
    const algorithm = encodeDer(SEQUENCE, encodeIdentifier(SHA2[hash]), ...none);
    return Buffer.concat([
      encodeDer(0xa0, algorithm),
      encodeDer(0xa1, encodeDer(SEQUENCE, encodeIdentifier(MGF1), algorithm)),
      encodeDer(0xa2, encodeDer(INTEGER, Buffer.from([HASH_BYTES[hash]]))),
    ]);
  }),
);

function readExtensions(extensions: DerValue | undefined): readonly Extension[] {
  if (!extensions) return [];
  return sequenceOf(readDer(extensions.content)[0]).map((extension) => {
    const values = sequenceOf(extension);
    const critical = values.find(({ tag }) => tag === BOOLEAN);
    const value = contentOf(values.at(-1), OCTET_STRING);
    return { identifier: identifierOf(values[0]), isCritical: booleanOf(critical), value };
  });
}

function readBasicConstraints(extension: Extension | undefined) {
  if (!extension) return {};
  const values = sequenceOf(readDer(extension.value)[0]);
  const length = values.find(({ tag }) => tag === INTEGER);
  const isCa = booleanOf(values.find(({ tag }) => tag === BOOLEAN));
  const pathLength = length && { pathLength: integerOf(length) };
  return { basicConstraints: { isCritical: extension.isCritical, isCa, ...pathLength } };
}

function readKeyUsage(extension: Extension | undefined) {
  if (!extension) return {};
  const [, ...octets] = contentOf(readDer(extension.value)[0], BIT_STRING);
  const isSet = (bit: number) => ((octets[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0;
  const usages = USAGES.filter((_, bit) => isSet(bit));
  return { keyUsage: { isCritical: extension.isCritical, usages } };
}

function readExtendedKeyUsage(extension: Extension | undefined) {
  if (!extension) return {};
  const purposes = sequenceOf(readDer(extension.value)[0]).map((value) => {
    const identifier = identifierOf(value);
    return PURPOSES.get(identifier) ?? dottedIdentifier(identifier);
  });
  return { extendedKeyUsage: { isCritical: extension.isCritical, purposes } };
}
