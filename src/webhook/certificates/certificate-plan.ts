/**
 * What is to be done about certificates, decided from what was seen and what is remembered alone. Every
 * replica decides for itself; docs/explanation/architecture.md tells why that is enough.
 */
import {
  isCurrent,
  readStoredTrust,
  type IssuingCa,
  type SecretData,
  type StoredTrust,
} from './issuing-ca.ts';
import {
  CLOCK_TOLERANCE_MS,
  formatCaBundle,
  inOrder,
  readCaBundle,
  trustedOf,
  withoutDoubles,
  type CaCertificate,
} from './ca-certificate.ts';

/** The two kinds of webhook configurations. */
export const CONFIGURATION_KINDS = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
] as const;
export type ConfigurationKind = (typeof CONFIGURATION_KINDS)[number];

/** One of the two webhook configurations, as far as it is looked at. */
export interface WebhookConfiguration {
  readonly kind: ConfigurationKind;
  readonly name: string;
  readonly resourceVersion: string;
  /** For how long nobody has changed it, in ms, by the API server; undefined: it does not say. */
  readonly unchangedFor?: number | undefined;
  readonly entries: readonly {
    readonly name: string;
    /** Base64 of PEM; empty where there is none. */
    readonly caBundle: string;
  }[];
}

/** A Secret as the API has it; members that are not named here are kept when it is written. */
export interface SecretObject {
  readonly metadata: { readonly resourceVersion: string };
  readonly data?: SecretData;
}

/** What a look at the cluster brought; `unknown` is what could not be read. */
export interface Seen {
  readonly secret: SecretObject | 'unknown' | 'absent';
  readonly configurations: Readonly<
    Record<ConfigurationKind, WebhookConfiguration | 'unknown' | 'absent'>
  >;
}

/** An issued certificate that is served, as far as it matters when it is replaced. */
export interface ServedLeaf {
  /** Fingerprint of the CA that issued it. */
  readonly issuer: string;
  readonly begins: number;
  readonly ends: number;
  /** From when on a successor is issued. */
  readonly renewal: number;
}

/** What a replica remembers from look to look. Nothing of it outlives the process. */
export interface Memory {
  /** What the Secret said when it was read last. */
  readonly stored: StoredTrust;
  /** All that the Secret has said since the start, and that has not ended. */
  readonly earlier: StoredTrust;
  /** Since when a certificate stands in every entry that is there, by uptime; by its fingerprint. */
  readonly trustedSince: ReadonlyMap<string, number>;
  /** CAs that turned out not to issue: fingerprints. */
  readonly unusable: ReadonlySet<string>;
  readonly served: ServedLeaf | undefined;
}

export interface Moment {
  /** By the clock of the API server, which is the one to judge certificates. Ms since 1970. */
  readonly now: number;
  /** Of this process, in ms: what no correction of a clock changes. */
  readonly uptime: number;
}

/** What is to be done, in this order; nothing where nothing is named. */
export interface CertificatePlan {
  /** A new CA is to be made, and written beside what is there. */
  readonly needsCa: boolean;
  /** Configurations that trust too little, or too much, and what every entry is to get. */
  readonly untrusting: readonly {
    readonly configuration: WebhookConfiguration;
    readonly caBundle: string;
  }[];
  /** A leaf is to be issued by this CA, and served. */
  readonly issueBy: IssuingCa | undefined;
  /** In how many milliseconds to look again at the latest; undefined: as usual. */
  readonly lookAgain: number | undefined;
}

const NOTHING: StoredTrust = { issuers: [], certificates: [] };
export const EMPTY_MEMORY: Memory = {
  stored: NOTHING,
  earlier: NOTHING,
  trustedSince: new Map(),
  unusable: new Set(),
  served: undefined,
};

/**
 * How long a certificate has to stand in the live configurations before a leaf of it is served: every
 * API server hears of a change by a watch, usually within a second.
 */
export const PROPAGATION_MS = 10_000;
/**
 * By how much the API server that stamped a change may be behind the one that answers. Kubernetes itself
 * bears a minute: beyond that, API servers refuse each other's tokens.
 */
const STAMP_TOLERANCE_MS = 60_000;
/** How long a CA is good for, and a leaf. */
export const CA_LIFE_MS = 365 * 24 * 3600_000;
const LEAF_LIFE_MS = 7 * 24 * 3600_000;
/** What is left of a life when its successor is made. */
const SHARE_LEFT = 1 / 3;
/** How much earlier a replica may do so, as a share of a life: so they do not all renew at once. */
const JITTER_SHARE = 1 / 20;
/** A successor that ends hardly later is not worth a handshake. */
const WORTH_MS = 60_000;
/** CAs of former times that are remembered. */
const MOST_REMEMBERED = 8;

/**
 * From when on the successor of a certificate is made.
 *
 * @param life how long it is good for, in ms
 * @param jitter of this replica, from 0 to 1
 */
export function renewalOf(ends: number, life: number, jitter: number): number {
  return ends - life * (SHARE_LEFT + JITTER_SHARE * jitter);
}

/** What is remembered after another look. */
export function remember(memory: Memory, seen: Seen, { now, uptime }: Moment): Memory {
  const stored = storedOf(memory, seen);
  const earlier = {
    issuers: latest([...stored.issuers, ...memory.earlier.issuers], memory, now),
    certificates: latest([...stored.certificates, ...memory.earlier.certificates], memory, now),
  };
  const bundles = bundlesOf(seen);
  if (!bundles) return { ...memory, stored, earlier };
  // What stands there unchanged was there before the start.
  const since = uptime - unchangedFor(seen);
  const trustedSince = new Map(
    [...earlier.issuers, ...earlier.certificates]
      .filter(({ fingerprint }) => bundles.every((bundle) => bundle.has(fingerprint)))
      .map(({ fingerprint }) => [fingerprint, memory.trustedSince.get(fingerprint) ?? since]),
  );
  return { ...memory, stored, earlier, trustedSince };
}

function storedOf({ stored }: Memory, { secret }: Seen): StoredTrust {
  if (secret === 'unknown') return stored;
  return secret === 'absent' ? NOTHING : readStoredTrust(secret.data ?? {});
}

function latest<Of extends CaCertificate>(
  all: readonly Of[],
  { served }: Memory,
  now: number,
): readonly Of[] {
  return inOrder(withoutDoubles(all)).filter(
    (one, rank) =>
      // Whatever the clock says.
      one.fingerprint === served?.issuer ||
      (rank < MOST_REMEMBERED && now < one.ends + CLOCK_TOLERANCE_MS),
  );
}

/** Fingerprints by entry; undefined where not all entries are known. */
function bundlesOf(seen: Seen): readonly ReadonlySet<string>[] | undefined {
  const { configurations } = seen;
  if (CONFIGURATION_KINDS.some((kind) => configurations[kind] === 'unknown')) return undefined;
  const sets = new Map<string, ReadonlySet<string>>();
  return configurationsOf(seen).flatMap(({ entries }) =>
    entries.map(({ caBundle }) => {
      const set =
        sets.get(caBundle) ?? new Set(readCaBundle(caBundle).map(({ fingerprint }) => fingerprint));
      sets.set(caBundle, set);
      return set;
    }),
  );
}

/** For how long none of the configurations has changed, in ms, as far as that is known. */
function unchangedFor(seen: Seen): number {
  const times = configurationsOf(seen).map((one) => one.unchangedFor ?? 0);
  return Math.max(0, Math.min(...times) - STAMP_TOLERANCE_MS);
}

/** The configurations that are there. */
export function configurationsOf({ configurations }: Seen): readonly WebhookConfiguration[] {
  return CONFIGURATION_KINDS.flatMap((kind) => {
    const configuration = configurations[kind];
    return typeof configuration === 'string' ? [] : [configuration];
  });
}

/**
 * @param memory with what was seen in it, see {@link remember}
 * @param jitter of this replica, from 0 to 1
 */
export function planCertificates(
  memory: Memory,
  seen: Seen,
  { now, uptime }: Moment,
  jitter: number,
): CertificatePlan {
  const isUsable = (ca: IssuingCa) => isCurrent(ca, now) && !memory.unusable.has(ca.fingerprint);
  const signers = memory.stored.issuers.filter(isUsable);
  const [newest] = signers;
  const untrusting = configurationsOf(seen).flatMap((configuration) => {
    const caBundle = bundleOf(memory, configuration, now);
    // Without a CA there is nothing to write.
    const isSo =
      caBundle === '' || configuration.entries.every((entry) => entry.caBundle === caBundle);
    return isSo ? [] : [{ configuration, caBundle }];
  });
  // What the Secret names goes before what it named once: so it is replaced by hand, too.
  const candidates = [...new Set([...signers, ...memory.earlier.issuers.filter(isUsable)])];
  const waitOf = ({ fingerprint }: IssuingCa) => {
    const since = memory.trustedSince.get(fingerprint);
    return since === undefined ? Infinity : Math.max(0, since + PROPAGATION_MS - uptime);
  };
  const issuer = candidates.find((candidate) => waitOf(candidate) === 0);
  const waits = candidates.map(waitOf).filter((wait) => wait > 0 && wait !== Infinity);
  return {
    needsCa: seen.secret !== 'unknown' && (newest === undefined || isCaDue(newest, now, jitter)),
    untrusting,
    issueBy: issuer && isLeafDue(memory.served, issuer, now) ? issuer : undefined,
    lookAgain: waits.length > 0 ? Math.min(...waits) : undefined,
  };
}

/**
 * What every entry is to trust: never less than what some replica may serve. Unknown
 * certificates stay, since another replica, or one in another mode, may be serving by them. Look at this
 * configuration only: an admin who removes a CA edits the two one at a time.
 */
function bundleOf(
  { stored, earlier, served }: Memory,
  { entries }: WebhookConfiguration,
  now: number,
): string {
  const issuers = [...stored.issuers, ...earlier.issuers];
  const certificates = [...stored.certificates, ...earlier.certificates];
  if (certificates.length === 0) return '';
  const texts = new Set(entries.map(({ caBundle }) => caBundle));
  const live = [...texts].flatMap((text) => readCaBundle(text));
  const serving = issuers.filter(({ fingerprint }) => fingerprint === served?.issuer);
  return formatCaBundle(trustedOf(serving, [issuers, live, certificates], now));
}

/** One that an admin made may live far longer than those made here: the next has to outlive it. */
function isCaDue({ begins, ends }: IssuingCa, now: number, jitter: number): boolean {
  return now >= renewalOf(ends, Math.min(ends - begins, CA_LIFE_MS), jitter);
}

function isLeafDue(served: ServedLeaf | undefined, issuer: IssuingCa, now: number): boolean {
  if (!served || served.issuer !== issuer.fingerprint) return true;
  // A clock that was set back, or that of another API server.
  if (now < served.begins) return true;
  return now >= served.renewal && leafEnd(issuer, now) > served.ends + WORTH_MS;
}

/** When a leaf ends that is issued now: never after its issuer. */
export function leafEnd({ ends }: CaCertificate, now: number): number {
  return Math.min(now + LEAF_LIFE_MS, ends);
}

/** What a replica has to have before it is asked. */
export type CertificateCondition = 'certificate' | 'ca-bundle';

/** Which configurations were not read, in words; undefined where all were. */
export function unreadOf({ configurations }: Seen): string | undefined {
  const words = CONFIGURATION_KINDS.flatMap((kind) => {
    const configuration = configurations[kind];
    if (typeof configuration !== 'string') return [];
    return [`the ${kind} ${configuration === 'absent' ? 'is not there' : 'was not read'}`];
  });
  return words.length === 0 ? undefined : words.join(', and ');
}

/** What is not so yet, in words for people; nothing where all is well. */
export function missingOf(
  { served, trustedSince }: Memory,
  seen: Seen,
  { now }: Moment,
): Readonly<Partial<Record<CertificateCondition, string>>> {
  const unread = unreadOf(seen);
  const why = () => {
    if (seen.secret === 'unknown') return 'the Secret of the CA was not read';
    return unread ?? `no CA has stood in every caBundle for ${PROPAGATION_MS / 1000} s`;
  };
  const isTrusted = served !== undefined && trustedSince.has(served.issuer);
  const distrust =
    unread ?? (isTrusted ? undefined : 'not every caBundle trusts the certificate that is served');
  return {
    ...((served === undefined || now >= served.ends) && {
      certificate: `no certificate that holds is served: ${why()}`,
    }),
    ...(distrust !== undefined && { 'ca-bundle': distrust }),
  };
}
