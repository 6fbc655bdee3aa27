/**
 * A cluster in which months pass in seconds: the Kubernetes API as our certificates see it, API servers
 * that hear of changes late, and replicas with clocks of their own. What is issued is real.
 */
import { X509Certificate } from 'node:crypto';
import { pino } from 'pino';
import type { SecretData } from '../../src/webhook/certificates/issuing-ca.ts';
import type {
  CertificateCheck,
  CheckResult,
} from '../../src/webhook/certificates/certificate-check.ts';
import type { CertificateCluster } from '../../src/webhook/certificates/certificate-cluster.ts';
import {
  CONFIGURATION_KINDS,
  PROPAGATION_MS,
  type ConfigurationKind,
  type SecretObject,
  type WebhookConfiguration,
} from '../../src/webhook/certificates/certificate-plan.ts';
import { certificateRotation } from '../../src/webhook/certificates/certificate-rotation.ts';
import type { Random } from './random.ts';

export const SECOND = 1000;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
/** When the simulation begins. */
const BEGIN = Date.parse('2026-01-01T00:00:00Z');
const SERVICE = 'kpack-notary-webhook.kpack-notary.svc';
const ENTRIES = ['pods', 'images'];

/** A simulated replica. */
export interface SimulatedReplica {
  /** By how much its clock is ahead, in ms. */
  skew: number;
  /** Whether it cannot reach the API. */
  isCutOff: boolean;
  /** Whether its server refuses what it is given. */
  cannotServe: boolean;
  /** PEM of what it serves; undefined before the first. */
  readonly served: string | undefined;
  /** One look after everything. */
  check(): Promise<CheckResult>;
  /** Ends it, and starts it anew: it remembers nothing. */
  restart(): void;
}

export interface CertificateSimulation {
  /** True time, in ms since 1970; sooner or later everybody learns of it. */
  now: number;
  secret: (SecretObject & { readonly data: SecretData }) | undefined;
  readonly replicas: readonly SimulatedReplica[];
  /** Handshakes that were judged so far. */
  readonly handshakes: number;
  /** Everything that was ever served, by its fingerprint. */
  readonly leaves: ReadonlySet<string>;
  /** Replaces a `caBundle` everywhere, as an admin may. */
  setBundles(of: (caBundle: string) => string): void;
  bundles(): readonly string[];
  /** What API servers would refuse now: one line each. */
  refused(): readonly string[];
}

export interface SimulationOptions {
  readonly replicas: number;
  readonly chance: Random;
  /** Whether the API says what time it is. */
  readonly tellsTime: boolean;
  /** How often an answer to a write is lost, and how often somebody else comes first; 0 to 1. */
  readonly trouble: number;
}

/** Anything that may be read has a version; every write makes a new one. */
type Stored = { -readonly [Member in keyof WebhookConfiguration]: WebhookConfiguration[Member] };

export function simulateCertificates({
  replicas: count,
  chance,
  tellsTime,
  trouble,
}: SimulationOptions): CertificateSimulation {
  let version = 1;
  let handshakes = 0;
  const leaves = new Set<string>();
  const configurations = Object.fromEntries(
    CONFIGURATION_KINDS.map((kind): [ConfigurationKind, Stored] => [
      kind,
      {
        kind,
        name: 'kpack-notary',
        resourceVersion: '1',
        entries: ENTRIES.map((name) => ({ name, caBundle: '' })),
      },
    ]),
  ) as Record<ConfigurationKind, Stored>;
  const changes = new Map<ConfigurationKind, number>();
  /** What each of two API servers believes, and what it is going to believe. */
  const servers = [0, 1].map(() => ({ news: [] as { at: number; bundles: readonly string[] }[] }));
  const bundles = () =>
    CONFIGURATION_KINDS.flatMap((kind) => configurations[kind].entries.map((one) => one.caBundle));
  const spread = () => {
    for (const { news } of servers) {
      // Never out of order, and never as late as a replica waits.
      const last = news.at(-1)?.at ?? 0;
      const at = Math.max(last, simulation.now + chance() * (PROPAGATION_MS - SECOND));
      news.push({ at, bundles: bundles() });
    }
  };
  let isNested = false;
  const replicas: SimulatedReplica[] = [];
  const interrupted = async (replica: SimulatedReplica) => {
    if (isNested || chance() >= trouble) return;
    isNested = true;
    const others = replicas.filter((other) => other !== replica);
    await others[Math.floor(chance() * others.length)]?.check();
    isNested = false;
  };
  const away = () => new Error('the API server is away');

  const clusterOf = (replica: SimulatedReplica): CertificateCluster => ({
    look: () => {
      const date = tellsTime ? Math.floor(simulation.now / SECOND) * SECOND : undefined;
      const unknown = {
        MutatingWebhookConfiguration: 'unknown',
        ValidatingWebhookConfiguration: 'unknown',
      } as const;
      return Promise.resolve(
        replica.isCutOff
          ? {
              seen: { secret: 'unknown', configurations: unknown },
              problems: [away()],
              date: undefined,
            }
          : {
              seen: structuredClone({
                secret: simulation.secret ?? 'absent',
                configurations: Object.fromEntries(
                  CONFIGURATION_KINDS.map((kind) => {
                    const changed = changes.get(kind);
                    const isKnown = date !== undefined && changed !== undefined;
                    const unchangedFor = isKnown ? date - changed : undefined;
                    return [kind, { ...configurations[kind], unchangedFor }];
                  }),
                ) as Record<ConfigurationKind, WebhookConfiguration>,
              }),
              problems: [],
              date,
            },
      );
    },
    writeSecret: async (seen, data) => {
      await interrupted(replica);
      if (replica.isCutOff) throw away();
      const before = seen === 'absent' ? undefined : seen.metadata.resourceVersion;
      if (simulation.secret?.metadata.resourceVersion !== before) return undefined;
      version += 1;
      simulation.secret = { metadata: { resourceVersion: String(version) }, data };
      if (chance() < trouble) throw away();
      return structuredClone(simulation.secret);
    },
    applyCaBundle: async ({ kind, resourceVersion }, caBundle) => {
      await interrupted(replica);
      if (replica.isCutOff) throw away();
      const stored = configurations[kind];
      if (stored.resourceVersion !== resourceVersion) return undefined;
      version += 1;
      stored.resourceVersion = String(version);
      changes.set(kind, Math.floor(simulation.now / SECOND) * SECOND);
      stored.entries = stored.entries.map((entry) => ({ ...entry, caBundle }));
      spread();
      if (chance() < trouble) throw away();
      return structuredClone(stored);
    },
  });

  const createReplica = (): SimulatedReplica => {
    let check: CertificateCheck;
    let served: string | undefined;
    const replica: SimulatedReplica = {
      skew: 0,
      isCutOff: false,
      cannotServe: false,
      get served() {
        return served;
      },
      check: () => check(new AbortController().signal),
      restart: () => {
        served = undefined;
        const started = simulation.now;
        check = certificateRotation({
          cluster: clusterOf(replica),
          names: [SERVICE],
          serve: ({ cert }) => {
            if (replica.cannotServe) throw new Error('cannot serve');
            served = cert;
            leaves.add(new X509Certificate(cert).fingerprint256);
          },
          log: pino({ level: 'silent' }),
          clock: () => ({ now: simulation.now + replica.skew, uptime: simulation.now - started }),
          jitter: chance(),
        });
      },
    };
    return replica;
  };

  const simulation: CertificateSimulation = {
    now: BEGIN,
    secret: undefined,
    replicas,
    get handshakes() {
      return handshakes;
    },
    leaves,
    bundles,
    setBundles: (of) => {
      for (const kind of CONFIGURATION_KINDS) {
        const stored = configurations[kind];
        version += 1;
        stored.resourceVersion = String(version);
        changes.set(kind, Math.floor(simulation.now / SECOND) * SECOND);
        stored.entries = stored.entries.map((entry) => ({
          ...entry,
          caBundle: of(entry.caBundle),
        }));
      }
      spread();
    },
    refused: () => {
      const found: string[] = [];
      for (const [at, { news }] of servers.entries()) {
        while (news[1] && news[1].at <= simulation.now) news.shift();
        for (const caBundle of new Set(news[0]?.bundles ?? bundles())) {
          for (const [index, { served }] of replicas.entries()) {
            if (served === undefined) continue;
            handshakes += 1;
            const why = refusalOf(served, caBundle, simulation.now);
            if (why !== undefined) found.push(`API server ${at} of replica ${index}: ${why}`);
          }
        }
      }
      return found;
    },
  };
  for (let index = 0; index < count; index += 1) replicas.push(createReplica());
  for (const replica of replicas) replica.restart();
  return simulation;
}

const parsed = new Map<string, X509Certificate>();
const judged = new Map<string, { readonly from: number; readonly until: number } | string>();

/** Why an API server would refuse a leaf: by dates, name, issuer and signature. */
function refusalOf(leaf: string, caBundle: string, now: number): string | undefined {
  const key = `${leaf} ${caBundle}`;
  const judgement = judged.get(key) ?? judge(leaf, caBundle);
  judged.set(key, judgement);
  if (typeof judgement === 'string') return judgement;
  const { from, until } = judgement;
  return from <= now && now < until
    ? undefined
    : `good from ${new Date(from).toISOString()} to ${new Date(until).toISOString()} alone`;
}

function judge(leaf: string, caBundle: string): ReturnType<typeof judged.get> & {} {
  const served = new X509Certificate(leaf);
  if (served.checkHost(SERVICE) === undefined) return 'another name';
  const text = Buffer.from(caBundle, 'base64').toString();
  const trusted = text.split(/(?<=-----END CERTIFICATE-----\n)/).filter((pem) => pem !== '');
  const issuer = trusted
    .map((pem) => {
      const one = parsed.get(pem) ?? new X509Certificate(pem);
      parsed.set(pem, one);
      return one;
    })
    .find((one) => served.checkIssued(one) && served.verify(one.publicKey));
  if (!issuer) return `none of ${trusted.length} trusted certificates issued it`;
  const times = [served, issuer].map((one) => [Date.parse(one.validFrom), Date.parse(one.validTo)]);
  return {
    from: Math.max(...times.map(([from = 0]) => from)),
    until: Math.min(...times.map(([, until = 0]) => until)),
  };
}
