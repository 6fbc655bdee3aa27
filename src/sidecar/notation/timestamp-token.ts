import { constants, hash, verify, type KeyObject } from 'node:crypto';
import {
  contentOf,
  encodeDer,
  identifierOf,
  INTEGER,
  integerOf,
  GENERALIZED_TIME,
  OCTET_STRING,
  readDer,
  SEQUENCE,
  sequenceOf,
  SET,
  timeOf,
  type DerValue,
} from '../../shared/der.ts';
import { berToDer } from './ber.ts';
import { readCertificate, type Certificate } from './certificate.ts';
import { HASH_BYTES, type JwsHash } from './jws-algorithm.ts';

/** A timestamp token (RFC 3161): a statement that these bytes were there, signed by a server. */
export interface TimestampToken {
  /** The hash of what is stamped. */
  readonly imprint: { readonly hash: JwsHash; readonly digest: Buffer };
  readonly time: Date;
  /** How far the time may be off, in milliseconds. */
  readonly accuracyMs: number;
  /** The content of an INTEGER. */
  readonly nonce: Buffer | undefined;
  /** The certificate that signed it. The signature is verified. */
  readonly signer: Certificate;
  /** When the server says that it signed. */
  readonly signingTime: Date | undefined;
  /** All certificates in the token. */
  readonly certificates: readonly Certificate[];
}

/** Context-specific tags. */
const [CONTEXT_0, DIRECTORY_NAME] = [0xa0, 0xa4];
const [PRIMITIVE_0, PRIMITIVE_1] = [0x80, 0x81];
/** Object identifiers, the hex of their content. */
const SIGNED_DATA = '2a864886f70d010702';
const TST_INFO = '2a864886f70d0109100104';
const CONTENT_TYPE = '2a864886f70d010903';
const MESSAGE_DIGEST = '2a864886f70d010904';
const SIGNING_TIME = '2a864886f70d010905';
const SIGNING_CERTIFICATE_V2 = '2a864886f70d010910022f';
const BASELINE_POLICY = '04008f670101';
const HASHES: ReadonlyMap<string, JwsHash> = new Map([
  ['608648016503040201', 'sha256'],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
]);
const RSA = '2a864886f70d010101';
const RSA_PSS = '2a864886f70d01010a';
/** RSA and ECDSA, each with a hash of its own. */
const SIGNATURES: ReadonlyMap<string, JwsHash> = new Map([
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
]);

/**
 * Reads a token as notation does, and verifies its signature with a certificate that is in it:
 * SignedData of version 3 (RFC 5652) with one signer, which its attribute SigningCertificateV2 names
 * (RFC 5035).
 *
 * @throws Error when it is no such token; the message is for people
 */
export function readTimestampToken(bytes: Uint8Array): TimestampToken {
  const { content, certificates, signerInfo } = readSignedData(bytes);
  const attributes = readAttributes(signerInfo[3]);
  const signer = findSigner(certificates, signerInfo[1], attributes.get(SIGNING_CERTIFICATE_V2));
  const digestAlgorithm = hashOf(signerInfo[2]);
  if (identifierOf(attributes.get(CONTENT_TYPE)) !== TST_INFO) {
    throw new RangeError('the signature of the token is not over a timestamp');
  }
  const digest = contentOf(attributes.get(MESSAGE_DIGEST), OCTET_STRING);
  if (!digest.equals(hash(digestAlgorithm, content, 'buffer'))) {
    throw new RangeError('the token was changed: its message digest is another');
  }
  // Signed is the set itself, in the order of DER, and not the tag that stands in its place.
  const encoded = readDer(contentOf(signerInfo[3], CONTEXT_0)).map(encode);
  const signed = encodeDer(SET, ...encoded.sort((a, b) => Buffer.compare(a, b)));
  const signature = contentOf(signerInfo[5], OCTET_STRING);
  if (
    !signer.publicKey ||
    !verifies(signer.publicKey, signerInfo[4], digestAlgorithm, signed, signature)
  ) {
    throw new RangeError('the signature of the token does not verify');
  }
  const signingTime = attributes.get(SIGNING_TIME);
  return {
    ...readTstInfo(content),
    signer,
    signingTime: signingTime && timeOf(signingTime),
    certificates,
  };
}

function readSignedData(bytes: Uint8Array) {
  const [token, ...more] = readDer(berToDer(Buffer.from(bytes)));
  const [type, explicit] = sequenceOf(token);
  if (more.length > 0 || identifierOf(type) !== SIGNED_DATA) throw new RangeError('no signed data');
  const data = sequenceOf(readDer(contentOf(explicit, CONTEXT_0))[0]);
  const [version, , encapsulated] = data;
  if (integerOf(version) !== 3) throw new RangeError('signed data of another version than 3');
  const [contentType, content] = sequenceOf(encapsulated);
  if (identifierOf(contentType) !== TST_INFO) throw new RangeError('signed data, and no timestamp');
  const certificates = data.find(({ tag }) => tag === CONTEXT_0);
  const [signerInfo, ...others] = readDer(contentOf(data.at(-1), SET));
  if (others.length > 0) throw new RangeError('more than one signature');
  const info = sequenceOf(signerInfo);
  if (integerOf(info[0]) !== 1) throw new RangeError('a signer that is not named by its issuer');
  return {
    content: contentOf(readDer(contentOf(content, CONTEXT_0))[0], OCTET_STRING),
    certificates: certificates ? readDer(certificates.content).map(readCarried) : [],
    signerInfo: info,
  };
}

/** Verifiers refuse a token as a whole if they cannot read one of its certificates. */
function readCarried(value: DerValue): Certificate {
  const certificate = readCertificate(encode(value));
  const { refusal, subject } = certificate;
  if (refusal === undefined) return certificate;
  throw new RangeError(`the certificate ${subject} ${refusal}`);
}

/** The first value of each attribute, by type. */
function readAttributes(
  attributes: DerValue | undefined,
): ReadonlyMap<string, DerValue | undefined> {
  const list = readDer(contentOf(attributes, CONTEXT_0)).map((attribute) => {
    const [type, values] = sequenceOf(attribute);
    return [identifierOf(type), readDer(contentOf(values, SET))[0]] as const;
  });
  const map = new Map(list);
  if (map.size < list.length) throw new RangeError('an attribute stands twice');
  return map;
}

/**
 * @param sid issuer and serial number, unsigned
 * @param attribute SigningCertificateV2: the hash of the certificate, and perhaps the same
 */
function findSigner(
  certificates: readonly Certificate[],
  sid: DerValue | undefined,
  attribute: DerValue | undefined,
): Certificate {
  if (!attribute) throw new RangeError('no attribute SigningCertificateV2');
  const essCertificate = sequenceOf(sequenceOf(sequenceOf(attribute)[0])[0]);
  const digestAt = essCertificate.findIndex(({ tag }) => tag === OCTET_STRING);
  const algorithm = digestAt > 0 ? hashOf(essCertificate[0]) : 'sha256';
  const issuerSerial = essCertificate[digestAt + 1];
  const [issuer, serial] = issuerSerial ? directoryName(issuerSerial) : sequenceOf(sid);
  const [issuerName, serialNumber] = [contentOf(issuer, SEQUENCE), contentOf(serial, INTEGER)];
  const signer = certificates.find(
    (certificate) =>
      certificate.issuerName.equals(issuerName) && certificate.serialNumber.equals(serialNumber),
  );
  if (!signer) throw new RangeError('the certificate of its signer is not in the token');
  const digest = contentOf(essCertificate[digestAt], OCTET_STRING);
  if (digest.equals(hash(algorithm, signer.der, 'buffer'))) return signer;
  throw new RangeError('SigningCertificateV2 names another certificate');
}

/** Issuer and serial number of an IssuerSerial, whose issuer is a GeneralNames with one name. */
function directoryName(issuerSerial: DerValue): readonly (DerValue | undefined)[] {
  const [names, serial] = sequenceOf(issuerSerial);
  const [name] = sequenceOf(names);
  return [readDer(contentOf(name, DIRECTORY_NAME))[0], serial];
}

function readTstInfo(content: Buffer) {
  const [version, policy, imprint, , time, ...options] = sequenceOf(readDer(content)[0]);
  if (integerOf(version) !== 1) throw new RangeError('a timestamp of another version than 1');
  const [algorithm, digest] = sequenceOf(imprint);
  if (time?.tag !== GENERALIZED_TIME) throw new RangeError('a timestamp without time');
  const accuracy = options.find(({ tag }) => tag === SEQUENCE);
  const accuracyMs = accuracy ? accuracyOf(accuracy) : 0;
  const nonce = options.find(({ tag }) => tag === INTEGER);
  return {
    imprint: { hash: hashOf(algorithm), digest: contentOf(digest, OCTET_STRING) },
    time: timeOf(time),
    // The trust policy specification takes a second where this policy says nothing (ETSI EN 319 421).
    accuracyMs: accuracyMs === 0 && identifierOf(policy) === BASELINE_POLICY ? 1000 : accuracyMs,
    nonce: nonce?.content,
  };
}

/** Seconds, milliseconds and microseconds, each where it is said. */
function accuracyOf(accuracy: DerValue): number {
  const values = sequenceOf(accuracy);
  const numberOf = (wanted: number) => {
    const value = values.find(({ tag }) => tag === wanted);
    return value ? integerOf({ tag: INTEGER, content: value.content }) : 0;
  };
  return numberOf(INTEGER) * 1000 + numberOf(PRIMITIVE_0) + numberOf(PRIMITIVE_1) / 1000;
}

/** @param algorithm an AlgorithmIdentifier of SHA-2 */
function hashOf(algorithm: DerValue | undefined): JwsHash {
  const found = HASHES.get(identifierOf(sequenceOf(algorithm)[0]));
  if (found === undefined) throw new RangeError('a hash that is not SHA-256, SHA-384 or SHA-512');
  return found;
}

/** As notation chooses the algorithm: by hash and key where the identifier says RSA alone. */
function verifies(
  key: KeyObject,
  algorithm: DerValue | undefined,
  digestAlgorithm: JwsHash,
  signed: Buffer,
  signature: Buffer,
): boolean {
  const identifier = identifierOf(sequenceOf(algorithm)[0]);
  try {
    if (identifier === RSA_PSS) {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const saltLength = HASH_BYTES[digestAlgorithm];
      return verify(digestAlgorithm, signed, { key, padding, saltLength }, signature);
    }
    const hash = identifier === RSA ? digestAlgorithm : SIGNATURES.get(identifier);
    return hash !== undefined && verify(hash, signed, key, signature);
  } catch {
    return false;
  }
}

function encode({ tag, content }: DerValue): Buffer {
  return encodeDer(tag, content);
}
