import { parseDuration } from '../../shared/duration.ts';
import type { Gun } from '../../shared/image-reference.ts';
import type { SigningResult, V2Receipt } from '../../shared/receipt.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { VERSION } from '../../shared/version.ts';
import { createRetries, type Pause } from '../http/retry.ts';
import type { Log } from '../io/log.ts';
import { second } from './chain-rules.ts';
import type { Descriptor } from './descriptor.ts';
import { EnvelopeError, readEnvelope, type SignatureEnvelope } from './envelope-reader.ts';
import type { EnvelopeSigner } from './envelope-signer.ts';
import { makeEnvelope } from './envelope.ts';
import {
  EMPTY_CONFIG,
  formatSignatureManifest,
  readSignatureManifest,
  THUMBPRINTS,
} from './signature-manifest.ts';
import type { SignatureList, SignatureRegistry } from './signature-registry.ts';
import type { TimestampClient } from './timestamp-client.ts';
import type { Timestamp } from './timestamp.ts';

/** What it takes to sign an image in one repository. */
export interface ImageSigning {
  readonly gun: Gun;
  /** The image, as the registry describes it. */
  readonly subject: Descriptor;
  /** The signatures that it has. */
  readonly before: SignatureList;
  readonly registry: SignatureRegistry;
  readonly signer: EnvelopeSigner;
  /** Undefined: signatures get no timestamp. */
  readonly timestamps: TimestampClient | undefined;
  /** How long signatures are good, such as `8760h`; undefined: as long as the certificates. */
  readonly expiry: string | undefined;
  readonly now: () => Date;
  readonly pause: Pause;
  readonly log: Log;
  /** Everything but the push. */
  readonly dryRun: boolean;
}

/** A signature of the image by this certificate, read from the registry and verified. */
interface OwnSignature {
  readonly digest: string;
  readonly envelope: SignatureEnvelope;
  /** Where one was asked for. */
  readonly timestamp: Timestamp | undefined;
}

/** Kyverno and Connaisseur read ten signatures and refuse an image with more. */
const MANY_SIGNATURES = 8;
/** As many as `notation verify` reads. */
const MOST_READ = 100;
/** A signature that ends is made anew when less than this share of its time is left. */
const LEAST_SHARE_LEFT = 0.5;
/** Registries have lost referrers that were pushed at the same moment (oras#1228, olareg 0.2). */
const LOOKS = { firstWaitMs: 600, longestWaitMs: 600, waits: 30, jitter: 2 / 3 };
/** Errors of a listed signature that is gone, or is not what its digest says: not this signer's. */
const UNREADABLE = ['MANIFEST_NOT_FOUND', 'MANIFEST_MISMATCH'];

/**
 * Signs one image as the Notary Project specifies. It looks for a signature of this certificate. If
 * there is none, it makes one, pushes it, and reads it back as verifiers do. It deletes nothing, and
 * writes by digest alone, save the fallback index.
 *
 * @throws SigningError TIMESTAMP_FAILED, PUSH_DENIED, REFERRERS_TAG_FOREIGN, SIGNATURE_NOT_LISTED,
 * READ_BACK_FAILED, MANIFEST_*, CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED
 */
export async function signImage(signing: ImageSigning): Promise<V2Receipt> {
  const { gun, subject, before, log, dryRun } = signing;
  const own = await findOwn(signing, before.signatures);
  if (own) {
    log.step(`${gun}: already has a Notary Project signature of this certificate`);
    return finish(signing, 'already-signed', own, before);
  }
  const envelope = await sign(signing);
  if (dryRun) {
    log.step(`${gun}: would push a Notary Project signature (dry run)`);
    return { result: 'dry-run' };
  }
  log.step(`${gun}: pushing a Notary Project signature of ${subject.digest}`);
  const pushed = await push(signing, envelope);
  const signed = readBack(signing, pushed);
  log.step(`${gun}: pushed signature ${signed.digest}, read back and verified`);
  return finish(signing, 'signed', signed, pushed.list);
}

function finish(
  { gun, signer: { chain }, log }: ImageSigning,
  result: SigningResult,
  { digest, envelope: { expiry }, timestamp }: OwnSignature,
  { listed, signatures: { length: count } }: SignatureList,
): V2Receipt {
  if (count >= MANY_SIGNATURES) {
    log.warn(
      `${gun} has ${count} Notary Project signatures of this image, and some verifiers read 10 at most: remove those at the registry that are not needed any more`,
    );
  }
  const [thumbprint = ''] = chain.thumbprints;
  return {
    ...{ result, digest, listed, thumbprint, notAfter: second(chain.notAfter) },
    ...(expiry && { expiry: second(expiry) }),
    ...(timestamp && {
      timestamp: { time: second(timestamp.time), notAfter: second(timestamp.notAfter) },
    }),
    count,
  };
}

function sign({ subject, signer, timestamps, expiry, now }: ImageSigning): Promise<Uint8Array> {
  const { mediaType, digest, size } = subject;
  const signingTime = now();
  const duration = expiry === undefined ? undefined : parseDuration(expiry);
  const { chain } = signer;
  return makeEnvelope({ mediaType, digest, size }, signer, {
    signingTime,
    ...(duration !== undefined && { expiry: new Date(signingTime.getTime() + duration) }),
    agent: `kpack-notary/${VERSION}`,
    ...(timestamps && { timestamp: (signature) => timestamps.stamp({ ...chain, signature }) }),
  });
}

type SignatureManifest = ReturnType<typeof formatSignatureManifest>;

/** A signature that is listed. */
interface Pushed {
  readonly pushed: Descriptor;
  readonly list: SignatureList;
  /** As {@link readSignature}. */
  readonly served: OwnSignature | string;
}

/**
 * The manifest has two forms, and some registries list only one of them for verifiers. The one that
 * all released clients write comes first (signature-specification, "Storage"). The second follows where
 * the first one is not listed. The blobs are the same.
 */
async function push(signing: ImageSigning, envelope: Uint8Array): Promise<Pushed> {
  const { gun, subject, registry, signer, now, pause } = signing;
  const created = now();
  const manifests: Omit<Pushed, 'list'>[] = [];
  const listedIn = (list: SignatureList): Pushed | undefined => {
    const found = manifests.find(({ pushed }) => isIn(list, pushed));
    return found && { ...found, list };
  };
  for (const form of ['config-type', 'artifact-type'] as const) {
    const manifest = formatSignatureManifest(form, subject, envelope, signer.chain, created);
    const { descriptor } = manifest;
    const stored = await pushManifest(signing, manifest, envelope, manifests.length === 0);
    const [list, served] = await Promise.all([
      registry.list(subject),
      readSignature(signing, descriptor, stored),
    ]);
    manifests.push({ pushed: descriptor, served });
    const last =
      list.listed === 'api'
        ? await settleReferrers(signing, manifest, list)
        : await addToIndex(signing, descriptor, list);
    const listed = listedIn(last);
    if (listed) return listed;
    // The form makes no difference there.
    if (last.listed === 'tag') throw notListed();
  }
  // An index of referrers may be late.
  const retries = createRetries(pause);
  while (await retries.wait()) {
    const listed = listedIn(await registry.list(subject));
    if (listed) return listed;
  }
  throw notListed();

  function notListed(): SigningError {
    const digests = manifests.map(({ pushed }) => pushed.digest).join(' and ');
    const what = `the registry took ${digests} as signatures of ${gun}@${subject.digest}, and does not list what it took as a Notary Project signature`;
    return new SigningError('SIGNATURE_NOT_LISTED', what);
  }
}

/**
 * Waits while others push at the same moment: registries lose referrers that come at once. Where the list
 * has those of others and lacks this one, the manifest is pushed again.
 */
async function settleReferrers(
  { subject, before, registry, pause }: ImageSigning,
  { bytes, descriptor }: SignatureManifest,
  first: SignatureList,
): Promise<SignatureList> {
  const looks = createRetries(pause, LOOKS);
  let list = first;
  let expected = before.signatures.length + 1;
  for (;;) {
    const count = list.signatures.length;
    const isListed = isIn(list, descriptor);
    if (isListed ? count === expected : count <= before.signatures.length) return list;
    if (!isListed) await registry.pushManifest(bytes, descriptor.mediaType);
    expected = isListed ? count : count + 1;
    if (!(await looks.wait())) return list;
    list = await registry.list(subject);
  }
}

/**
 * Adds a signature to the fallback index. Here the entry says the type, whatever the form of the manifest.
 * Other writers may lose it once more.
 */
async function addToIndex(
  { subject, registry, pause }: ImageSigning,
  descriptor: Descriptor,
  first: SignatureList,
): Promise<SignatureList> {
  const retries = createRetries(pause);
  let list = first;
  while (!isIn(list, descriptor)) {
    await registry.addToIndex(subject, descriptor);
    list = await registry.list(subject);
    if (!isIn(list, descriptor) && !(await retries.wait())) return list;
  }
  return list;
}

function isIn({ signatures }: SignatureList, { digest }: Descriptor): boolean {
  return signatures.some((signature) => signature.digest === digest);
}

/** An envelope that is read from the registry. */
interface StoredEnvelope {
  readonly digest: string;
  readonly bytes: Promise<Uint8Array>;
}

/**
 * Pushes a manifest and its blobs; blobs that the registry has dropped meanwhile once more. The envelope
 * is read back at once, beside the push of the manifest.
 *
 * @param isNew that the registry has never seen the envelope
 */
async function pushManifest(
  { registry, subject }: ImageSigning,
  { bytes, descriptor }: SignatureManifest,
  envelope: Uint8Array,
  isNew: boolean,
): Promise<StoredEnvelope | undefined> {
  const named = readSignatureManifest(bytes, subject)?.envelope;
  for (let tries = 0; tries < 2; tries++) {
    await Promise.all([
      registry.pushBlob(envelope, isNew && tries === 0),
      registry.pushBlob(EMPTY_CONFIG),
    ]);
    const stored = named && { digest: named.digest, bytes: registry.blob(named) };
    // Whoever reads the signature hears of it.
    stored?.bytes.catch(() => undefined);
    if ((await registry.pushManifest(bytes, descriptor.mediaType)) === 'stored') return stored;
  }
  const what = `the registry has dropped the blobs of the signature manifest ${descriptor.digest} twice`;
  throw new SigningError('SERVER_FAILED', what, {
    fix: 'Look at the log of the registry: its garbage collection may run beside pushes.',
  });
}

/** @throws SigningError READ_BACK_FAILED */
function readBack({ gun }: ImageSigning, { pushed, served }: Pushed): OwnSignature {
  if (typeof served !== 'string') return served;
  const what = `${gun}: the signature ${pushed.digest} was pushed, and what is served ${served}`;
  throw new SigningError('READ_BACK_FAILED', what);
}

/**
 * The first good signature of this certificate. Those whose annotation names the chain come first, then
 * those without the annotation: it saves requests, and proves nothing (notation#975).
 */
async function findOwn(
  signing: ImageSigning,
  signatures: readonly Descriptor[],
): Promise<OwnSignature | undefined> {
  const { chain } = signing.signer;
  const named = JSON.stringify(chain.thumbprints);
  const byName = (wanted: string | undefined) =>
    signatures.filter(({ annotations }) => annotations?.[THUMBPRINTS] === wanted);
  for (const candidate of [...byName(named), ...byName(undefined)].slice(0, MOST_READ)) {
    const found = await readSignature(signing, candidate).catch((error: unknown) => {
      if (error instanceof SigningError && UNREADABLE.includes(error.code)) return error.message;
      throw error;
    });
    if (typeof found !== 'string') return found;
  }
  return undefined;
}

/**
 * A signature by this certificate as it was asked for; else what is served, in words for people.
 *
 * @param stored an envelope that is being read already
 */
async function readSignature(
  signing: ImageSigning,
  descriptor: Descriptor,
  stored?: StoredEnvelope,
): Promise<OwnSignature | string> {
  const { registry, subject } = signing;
  const manifest = readSignatureManifest(await registry.manifest(descriptor), subject);
  if (!manifest) return 'is no signature manifest of this image';
  try {
    const isStored = manifest.envelope.digest === stored?.digest;
    const bytes = await (isStored ? stored.bytes : registry.blob(manifest.envelope));
    const envelope = readEnvelope(bytes, signing.now());
    const why = whyNotAsked(signing, envelope);
    if (why !== undefined) return why;
    const timestamp = signing.timestamps?.verify(envelope);
    return { digest: descriptor.digest, envelope, timestamp };
  } catch (error) {
    if (error instanceof EnvelopeError) return `is no good signature envelope: ${error.message}`;
    if (error instanceof SigningError && error.code === 'TIMESTAMP_FAILED') return error.message;
    throw error;
  }
}

/** Why a good envelope is not the one that was asked for; undefined: it is. */
function whyNotAsked(
  { subject, signer: { chain }, expiry, now }: ImageSigning,
  { target, certificates, ...envelope }: SignatureEnvelope,
): string | undefined {
  const isOfSubject =
    target.mediaType === subject.mediaType &&
    target.digest === subject.digest &&
    target.size === subject.size;
  if (!isOfSubject) return 'is a signature of another image';
  const [leaf] = chain.certificates;
  if (!leaf || !certificates[0] || Buffer.compare(leaf, certificates[0]) !== 0) {
    return 'is a signature of another certificate';
  }
  const duration = expiry === undefined ? undefined : (parseDuration(expiry) ?? 0);
  const left = envelope.expiry && envelope.expiry.getTime() - now().getTime();
  if (duration === undefined) return left === undefined ? undefined : 'has an end';
  if (left === undefined) return 'has no end';
  return left >= duration * LEAST_SHARE_LEFT ? undefined : 'ends too early';
}
