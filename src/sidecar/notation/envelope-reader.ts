import { isObject, type Members } from '../../shared/json.ts';
import { quote, show } from '../../shared/shown-value.ts';
import { chainProblems, validityOf, validityProblems } from './chain-rules.ts';
import { readCertificate, type Certificate } from './certificate.ts';
import type { Descriptor } from './descriptor.ts';
import { jwsAlgorithmOf, verifyJws, type JwsAlgorithm } from './jws-algorithm.ts';
import { parseStrictObject } from './strict-json.ts';

/** A signature envelope whose signature verifies. Whether its root is trusted, verifiers decide. */
export interface SignatureEnvelope {
  /** What is signed, with the annotations of its signer. */
  readonly target: Descriptor;
  /** DER, the leaf first and the self-signed root last. */
  readonly certificates: readonly Uint8Array[];
  readonly algorithm: JwsAlgorithm;
  /** The bytes that a timestamp is over. */
  readonly signature: Uint8Array;
  /** What the signer says. */
  readonly signingTime: Date;
  /** After this moment strict verifiers refuse it. */
  readonly expiry?: Date;
  /** Unverified: see `verifyTimestamp`. */
  readonly timestampToken?: Uint8Array;
  /** When all certificates are valid: the latest beginning, and the earliest end. */
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Why bytes are no signature that verifiers accept; the message is for people. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError';
}

const MOST_CERTIFICATES = 20;
/** How far the clocks of two nodes may differ. */
const CLOCK_GRACE_MS = 5 * 60 * 1000;
const PREFIX = 'io.cncf.notary.';
const SIGNING_SCHEME = `${PREFIX}signingScheme`;
const SIGNING_TIME = `${PREFIX}signingTime`;
const EXPIRY = `${PREFIX}expiry`;
const TIMESTAMP = `${PREFIX}timestampSignature`;
const AGENT = `${PREFIX}signingAgent`;
const PAYLOAD_TYPE = 'application/vnd.cncf.notary.payload.v1+json';
const MEDIA_TYPE = /^[\w.+-]{1,127}\/[\w.+-]{1,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** RFC 3339 without fraction. Other programs may write it with the offset of their clock. */
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * Reads a JWS envelope of the scheme notary.x509, and verifies the signature and everything that does
 * not depend on a trust policy. It parses the bytes from nothing, and is stricter than notation-go: what
 * the specification forbids is refused where notation-go passes over it, such as unknown critical
 * headers.
 *
 * @param now no signature is from the future
 * @throws EnvelopeError
 */
export function readEnvelope(bytes: Uint8Array, now: Date): SignatureEnvelope {
  const envelope = parse(bytes, 'the envelope');
  demandMembers(envelope, 'the envelope', ['payload', 'protected', 'header', 'signature']);
  const { header } = envelope;
  if (!isObject(header)) throw new EnvelopeError('header is no object');
  demandMembers(header, 'header', ['x5c'], [TIMESTAMP, AGENT]);
  if (AGENT in header) textOf(header, AGENT, /^/);
  const certificates = readChain(header['x5c']);
  const signed = readProtected(fromBase64Url(envelope['protected'], 'protected'), now);
  const algorithm = demandAlgorithm(certificates, signed.algorithm);
  const signature = fromBase64Url(envelope['signature'], 'signature');
  const input = Buffer.from(`${String(envelope['protected'])}.${String(envelope['payload'])}`);
  const [leaf] = certificates;
  if (!leaf?.publicKey || !verifyJws(leaf.publicKey, algorithm, input, signature)) {
    throw new EnvelopeError('the signature does not verify with the key of the first certificate');
  }
  demandChain(certificates, signed.signingTime);
  const token = header[TIMESTAMP];
  return {
    target: readPayload(fromBase64Url(envelope['payload'], 'payload')),
    certificates: certificates.map(({ der }) => der),
    algorithm,
    signature,
    signingTime: signed.signingTime,
    ...(signed.expiry && { expiry: signed.expiry }),
    ...(token !== undefined && { timestampToken: fromBase64(token, TIMESTAMP) }),
    ...validityOf(certificates),
  };
}

interface SignedHeader {
  readonly algorithm: unknown;
  readonly signingTime: Date;
  readonly expiry?: Date;
}

/** The protected header: signature-envelope-jws, "Protected Headers". */
function readProtected(bytes: Buffer, now: Date): SignedHeader {
  const header = parse(bytes, 'protected');
  const needed = ['alg', 'cty', 'crit', SIGNING_SCHEME, SIGNING_TIME];
  demandMembers(header, 'protected', needed, [EXPIRY]);
  demandValue(header, 'cty', PAYLOAD_TYPE);
  demandValue(header, SIGNING_SCHEME, 'notary.x509');
  const critical = [SIGNING_SCHEME, ...(EXPIRY in header ? [EXPIRY] : [])].sort();
  const crit: unknown = header['crit'];
  if (!isList(crit) || JSON.stringify(crit.toSorted()) !== JSON.stringify(critical)) {
    throw new EnvelopeError(`crit does not name exactly ${critical.join(' and ')}`);
  }
  const signingTime = readTime(header, SIGNING_TIME);
  if (signingTime.getTime() > now.getTime() + CLOCK_GRACE_MS) {
    throw new EnvelopeError(`${SIGNING_TIME} is in the future: ${signingTime.toISOString()}`);
  }
  if (!(EXPIRY in header)) return { algorithm: header['alg'], signingTime };
  const expiry = readTime(header, EXPIRY);
  if (expiry <= signingTime) throw new EnvelopeError(`${EXPIRY} is not after ${SIGNING_TIME}`);
  return { algorithm: header['alg'], signingTime, expiry };
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** The payload: signature specification, "Payload". */
function readPayload(bytes: Buffer): Descriptor {
  const payload = parse(bytes, 'payload');
  demandMembers(payload, 'payload', ['targetArtifact']);
  const target = payload['targetArtifact'];
  if (!isObject(target)) throw new EnvelopeError('targetArtifact is no object');
  const needed = ['mediaType', 'digest', 'size'];
  demandMembers(target, 'targetArtifact', needed, ['artifactType', 'annotations']);
  const mediaType = textOf(target, 'mediaType', MEDIA_TYPE);
  const digest = textOf(target, 'digest', DIGEST);
  const { size, annotations } = target;
  if (typeof size !== 'number' || !Number.isSafeInteger(size)) {
    throw new EnvelopeError('size is no whole number');
  }
  return {
    mediaType,
    digest,
    size,
    ...('artifactType' in target && { artifactType: textOf(target, 'artifactType', MEDIA_TYPE) }),
    ...(annotations !== undefined && { annotations: readAnnotations(annotations) }),
  };
}

function readAnnotations(value: unknown): Readonly<Record<string, string>> {
  const isText = (entry: [string, unknown]): entry is [string, string] =>
    typeof entry[1] === 'string';
  const entries = isObject(value) ? Object.entries(value) : [];
  if (isObject(value) && entries.every(isText)) return Object.fromEntries(entries);
  throw new EnvelopeError('annotations are no texts by name');
}

function readChain(x5c: unknown): readonly Certificate[] {
  if (!isList(x5c) || x5c.length === 0) throw new EnvelopeError('x5c has no certificate');
  if (x5c.length > MOST_CERTIFICATES) {
    throw new EnvelopeError(`x5c has more than ${MOST_CERTIFICATES} certificates`);
  }
  return x5c.map((text, i) => {
    const der = fromBase64(text, `certificate ${i + 1} of x5c`);
    try {
      return readCertificate(der);
    } catch {
      throw new EnvelopeError(`certificate ${i + 1} of x5c cannot be read`);
    }
  });
}

/** The key of the leaf decides, and the header must say the same. */
function demandAlgorithm([leaf]: readonly Certificate[], said: unknown): JwsAlgorithm {
  const algorithm = leaf?.publicKey && jwsAlgorithmOf(leaf.publicKey);
  if (algorithm !== undefined && algorithm === said) return algorithm;
  const wanted = algorithm ?? 'none that may sign';
  throw new EnvelopeError(`alg is ${show(said)}, and that of the first certificate ${wanted}`);
}

function demandChain(certificates: readonly Certificate[], signingTime: Date): void {
  const [problem] = [
    ...chainProblems(certificates, 'code signing'),
    ...validityProblems(certificates, signingTime),
  ];
  if (!problem) return;
  const subject = certificates[problem.index]?.subject ?? '';
  const place = `certificate ${problem.index + 1} of x5c (${subject})`;
  throw new EnvelopeError(`at the time of signing, ${place} ${problem.what}`);
}

function parse(bytes: Uint8Array, what: string): Members {
  const object = parseStrictObject(bytes);
  if (!object) throw new EnvelopeError(`${what} is no JSON object that all readers read alike`);
  return object;
}

function demandMembers(
  object: Members,
  what: string,
  needed: readonly string[],
  allowed: readonly string[] = [],
): void {
  const [missing] = needed.filter((name) => !Object.hasOwn(object, name));
  if (missing !== undefined) throw new EnvelopeError(`${what} lacks ${missing}`);
  const [unknown] = Object.keys(object).filter(
    (name) => !needed.includes(name) && !allowed.includes(name),
  );
  if (unknown !== undefined) throw new EnvelopeError(`${what} has the member ${quote(unknown)}`);
}

function demandValue(object: Members, name: string, value: string): void {
  if (object[name] === value) return;
  throw new EnvelopeError(`${name} is ${show(object[name])} in place of ${value}`);
}

function textOf(object: Members, name: string, pattern: RegExp): string {
  const value = object[name];
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new EnvelopeError(`${name} is ${show(value)}`);
}

function readTime(object: Members, name: string): Date {
  const value = object[name];
  const [, local, , sign, hours, minutes] = TIME.exec(typeof value === 'string' ? value : '') ?? [];
  const time = new Date(`${local}Z`);
  // A day that its month does not have becomes one of the next month.
  if (Number.isNaN(time.getTime()) || time.toISOString().slice(0, 19) !== local) {
    throw new EnvelopeError(`${name} is ${show(value)}, and no time in whole seconds`);
  }
  const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  return new Date(time.getTime() - (sign === '-' ? -offset : offset));
}

/** Base64url without padding, in its one spelling. */
function fromBase64Url(value: unknown, what: string): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? value : '', 'base64url');
  if (bytes.length > 0 && bytes.toString('base64url') === value) return bytes;
  throw new EnvelopeError(`${what} is no base64url without padding`);
}

/** Standard base64 with padding, in its one spelling. */
function fromBase64(value: unknown, what: string): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? value : '', 'base64');
  if (bytes.length > 0 && bytes.toString('base64') === value) return bytes;
  throw new EnvelopeError(`${what} is no standard base64`);
}
