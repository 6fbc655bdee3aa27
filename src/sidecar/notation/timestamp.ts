import { hash } from 'node:crypto';
import {
  BOOLEAN,
  encodeDer,
  encodeIdentifier,
  INTEGER,
  integerOf,
  NULL,
  OCTET_STRING,
  readDer,
  SEQUENCE,
  sequenceOf,
  type DerValue,
} from '../../shared/der.ts';
import { readPem } from '../../shared/pem.ts';
import { quote } from '../../shared/shown-value.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { berToDer } from './ber.ts';
import {
  BASIC_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
  isSelfSigned,
  KEY_USAGE,
  readCertificate,
  type Certificate,
} from './certificate.ts';
import { findPath } from './chain-path.ts';
import { chainProblems, second, validityOf, validityProblems } from './chain-rules.ts';
import { hashOf, type JwsAlgorithm } from './jws-algorithm.ts';
import { readTimestampToken, type TimestampToken } from './timestamp-token.ts';

/** A timestamp that verifiers accept, if they trust the same root. */
export interface Timestamp {
  /** In DER: what stands in the envelope. */
  readonly token: Uint8Array;
  readonly time: Date;
  /** The earliest end of the server's certificate chain. */
  readonly notAfter: Date;
}

/** What is stamped. A `SignatureEnvelope` has it all; a `CertificateChain` all but the signature. */
export interface Stamped {
  /** The raw bytes of the signature. */
  readonly signature: Uint8Array;
  readonly algorithm: JwsAlgorithm;
  /** When the certificates of the signature are valid: the timestamp must be in between. */
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const SHA2 = {
  sha256: '608648016503040201',
  sha384: '608648016503040202',
  sha512: '608648016503040203',
} as const;
/** Replies have about 6 KiB. */
const MOST_BYTES = 1024 * 1024;
/** RFC 3161, 2.4.2: granted, and granted with modifications. */
const GRANTED = [0, 1];
/** Tags of texts within a status; the text of the server. */
const UTF8_STRING = 0x0c;
/** Critical extensions that Go evaluates, without those of names, which it does only in part. */
const EVALUATED = [BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, '551d20'];

/**
 * Formats a request (TimeStampReq, RFC 3161) for a timestamp over a signature.
 *
 * @param nonce some random bytes
 */
export function timestampRequest(
  signature: Uint8Array,
  algorithm: JwsAlgorithm,
  nonce: Uint8Array,
): Uint8Array {
  const name = hashOf(algorithm);
  const hashAlgorithm = encodeDer(SEQUENCE, encodeIdentifier(SHA2[name]), encodeDer(NULL));
  const digest = encodeDer(OCTET_STRING, hash(name, signature, 'buffer'));
  return encodeDer(
    SEQUENCE,
    encodeDer(INTEGER, Buffer.from([1])),
    encodeDer(SEQUENCE, hashAlgorithm, digest),
    encodeDer(INTEGER, integerContent(nonce)),
    // The token has to bring the certificates: verifiers take them from nowhere else.
    encodeDer(BOOLEAN, Buffer.from([0xff])),
  );
}

/**
 * Reads the reply of a timestamp server (TimeStampResp, RFC 3161), and verifies the token as
 * {@link verifyTimestamp} does.
 *
 * @param asked what the request was for
 * @param caPem the roots of the server
 * @throws SigningError TIMESTAMP_FAILED
 */
export function readTimestampReply(
  reply: Uint8Array,
  asked: Stamped & { readonly nonce: Uint8Array },
  caPem: string,
): Timestamp {
  const token = tokenOf(reply);
  const { nonce } = readToken(token);
  if (!nonce?.equals(integerContent(asked.nonce))) {
    throw failure('the timestamp is for another request: its nonce is another');
  }
  return verifyTimestamp(token, asked, caPem);
}

/**
 * Verifies a token as notation does with this root in its trust store of type `tsa`: the chain may use
 * certificates of the token alone, and ends in a self-signed root.
 *
 * @param caPem the roots of the server
 * @throws SigningError TIMESTAMP_FAILED
 */
export function verifyTimestamp(token: Uint8Array, stamped: Stamped, caPem: string): Timestamp {
  const read = readToken(token);
  const { hash: name, digest } = read.imprint;
  if (
    name !== hashOf(stamped.algorithm) ||
    !digest.equals(hash(name, stamped.signature, 'buffer'))
  ) {
    throw failure('the timestamp is over another signature');
  }
  const chain = chainOf(read, readRoots(caPem));
  const [problem] = [
    ...chainProblems(chain, 'timestamping'),
    ...validityProblems(chain, read.time),
    ...(read.signingTime ? validityProblems(chain, read.signingTime) : []),
    ...purposeProblems(chain),
  ];
  if (problem) {
    const subject = chain[problem.index]?.subject ?? '';
    throw failure(`the certificate of the timestamp server (${subject}) ${problem.what}`);
  }
  demandValidity(read, stamped);
  return { token, time: read.time, notAfter: validityOf(chain).notAfter };
}

/** The token of a reply, in DER, if the server granted one. */
function tokenOf(reply: Uint8Array): Uint8Array {
  if (reply.length > MOST_BYTES) throw failure(`the answer has more than ${MOST_BYTES} bytes`);
  let status: DerValue | undefined;
  let token: DerValue | undefined;
  try {
    [status, token] = sequenceOf(readDer(berToDer(Buffer.from(reply)))[0]);
    if (GRANTED.includes(integerOf(sequenceOf(status)[0])) && token) {
      return encodeDer(token.tag, token.content);
    }
  } catch (cause) {
    throw failure('the answer is no timestamp reply', cause);
  }
  throw failure(`the server refused: ${reasonOf(status)}`);
}

/** PKIStatusInfo, in the server's words where it has some. */
function reasonOf(status: DerValue | undefined): string {
  try {
    const [number, text] = sequenceOf(status);
    const [first] = text?.tag === SEQUENCE ? sequenceOf(text) : [];
    const words = first?.tag === UTF8_STRING ? `, ${quote(first.content.toString())}` : '';
    return `status ${integerOf(number)}${words}`;
  } catch {
    return 'without a reason';
  }
}

function readToken(token: Uint8Array): TimestampToken {
  try {
    if (token.length > MOST_BYTES) throw new RangeError('it is too large');
    return readTimestampToken(token);
  } catch (cause) {
    const reason = cause instanceof RangeError ? cause.message : 'a certificate cannot be read';
    throw failure(`the timestamp token cannot be verified: ${reason}`, cause);
  }
}

function readRoots(caPem: string): readonly Certificate[] {
  const blocks = readPem(caPem).blocks.filter(({ label }) => label.endsWith('CERTIFICATE'));
  try {
    return blocks.map(({ bytes }) => readCertificate(bytes));
  } catch (cause) {
    throw failure('a root certificate for the timestamp server cannot be read', cause);
  }
}

/** From the signer of a token to one of the roots. */
function chainOf(
  { signer, certificates, time }: TimestampToken,
  roots: readonly Certificate[],
): readonly Certificate[] {
  const isRoot = (certificate: Certificate) =>
    roots.some(({ der }) => der.equals(certificate.der)) && isSelfSigned(certificate);
  const { path, isComplete } = findPath(signer, [...roots, ...certificates], time, isRoot);
  if (isComplete) return path;
  const last = path.at(-1) ?? signer;
  throw failure(
    isSelfSigned(last)
      ? `the chain of the timestamp server ends in ${last.subject}, which is none of the given roots`
      : `${last.subject} of the timestamp server is issued by ${last.issuer}, which is neither in the token nor a given root`,
  );
}

/** What Go asks of a chain beyond the rules that code signing has as well. */
function purposeProblems(chain: readonly Certificate[]) {
  return chain.flatMap(({ extendedKeyUsage, criticalExtensions }, index) => {
    const purposes = extendedKeyUsage?.purposes ?? ['timeStamping'];
    const mayStamp = purposes.some((name) =>
      ['timeStamping', 'anyExtendedKeyUsage'].includes(name),
    );
    const isKnown = criticalExtensions.every((extension) => EVALUATED.includes(extension));
    return [
      ...(mayStamp ? [] : [{ index, what: 'has an extended key usage without timeStamping' }]),
      ...(isKnown ? [] : [{ index, what: 'has a critical extension that is unknown' }]),
    ];
  });
}

/** Verifiers ask it of the whole range in which the server may have been wrong. */
function demandValidity(
  { time, accuracyMs }: TimestampToken,
  { notBefore, notAfter }: Stamped,
): void {
  const isBefore = time.getTime() - accuracyMs < notBefore.getTime();
  const isAfter = time.getTime() + accuracyMs > notAfter.getTime();
  if (!isBefore && !isAfter) return;
  const accuracy = accuracyMs === 0 ? '' : ` ± ${accuracyMs / 1000} s`;
  const range = `${second(notBefore)} to ${second(notAfter)}`;
  throw failure(
    `the timestamp is of ${second(time)}${accuracy}, and the signing certificates are valid from ${range}`,
  );
}

/** The content of a non-negative INTEGER in DER. */
function integerContent(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((octet) => octet !== 0);
  const digits = Buffer.from(first < 0 ? [0] : bytes.subarray(first));
  return (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), digits]) : digits;
}

function failure(message: string, cause?: unknown): SigningError {
  return new SigningError('TIMESTAMP_FAILED', message, { cause });
}
