import type { FastifyBaseLogger } from 'fastify';
import { withCa, type IssuingCa } from './issuing-ca.ts';
import type { CertificateCheck } from './certificate-check.ts';
import type { CertificateCluster } from './certificate-cluster.ts';
import { issueLeaf, makeCa } from './certificate-issuer.ts';
import {
  EMPTY_MEMORY,
  missingOf,
  planCertificates,
  remember,
  renewalOf,
  type CertificatePlan,
  type Memory,
  type Moment,
  type Seen,
} from './certificate-plan.ts';
import { ClusterError } from '../../shared/kubernetes/cluster.ts';
import type { KeyPair } from './tls-files.ts';

export interface RotationOptions {
  readonly cluster: CertificateCluster;
  /** DNS names of the server. */
  readonly names: readonly string[];
  /**
   * Serves a leaf from the next handshake on.
   *
   * @throws Error when it cannot be served
   */
  serve(leaf: KeyPair, issuer: IssuingCa): void;
  readonly log: FastifyBaseLogger;
  /** By the clock of this machine. */
  clock(): Moment;
  /** Of this replica, from 0 to 1. */
  readonly jitter: number;
}

type Step = 'leaf' | 'caBundle' | 'ca';

/** Steps of one check, with what has to be done again because of concurrent replicas. */
const MOST_STEPS = 8;
/** How often a `caBundle` is written before one look finds it as it should be. More is a fight. */
const MOST_REPAIRS = 6;

/**
 * Certificates that look after themselves. Each call looks at the cluster, and does what the plan
 * says until it says nothing more.
 */
export function certificateRotation(options: RotationOptions): CertificateCheck {
  const { cluster, names, log, jitter } = options;
  let memory: Memory = EMPTY_MEMORY;
  let repairs = 0;
  let serverTime: { readonly date: number; readonly uptime: number } | undefined;
  // By the API server's last time, whatever becomes of the clock here meanwhile.
  const momentOf = ({ now, uptime }: Moment): Moment =>
    serverTime ? { now: serverTime.date + uptime - serverTime.uptime, uptime } : { now, uptime };

  const take = async (
    step: Step,
    plan: CertificatePlan,
    seen: Seen,
    { now }: Moment,
    signal: AbortSignal,
  ): Promise<Seen | undefined> => {
    if (step === 'leaf' && plan.issueBy) {
      await replaceLeaf(plan.issueBy, now);
      return seen;
    }
    if (step === 'caBundle') return applyAll(plan, seen, signal);
    if (seen.secret === 'unknown') return seen;
    const ca = await makeCa(now);
    const before = seen.secret === 'absent' ? {} : (seen.secret.data ?? {});
    const data = withCa(before, ca, memory.stored, now);
    const secret = await cluster.writeSecret(seen.secret, data, signal);
    if (!secret) return undefined;
    const { fingerprint, ends } = ca;
    log.info({ fingerprint, ends: new Date(ends) }, 'made a new CA');
    return { ...seen, secret };
  };

  const applyAll = async (
    { untrusting }: CertificatePlan,
    seen: Seen,
    signal: AbortSignal,
  ): Promise<Seen | undefined> => {
    // One that cannot be written does not keep the other from it.
    const answers = await Promise.allSettled(
      untrusting.map(({ configuration, caBundle }) =>
        cluster.applyCaBundle(configuration, caBundle, signal),
      ),
    );
    const configurations = { ...seen.configurations };
    for (const answer of answers) {
      if (answer.status === 'rejected') throw answer.reason;
      if (!answer.value) return undefined;
      const { kind, name } = answer.value;
      if (repairs < MOST_REPAIRS) log.info({ kind, name }, 'wrote the caBundle of every entry');
      configurations[kind] = answer.value;
    }
    repairs += 1;
    return { ...seen, configurations };
  };

  const replaceLeaf = async (issuer: IssuingCa, now: number): Promise<void> => {
    const { fingerprint } = issuer;
    const leaf = await issueLeaf(issuer, names, now).catch((error: unknown) => {
      memory = { ...memory, unusable: new Set([...memory.unusable, fingerprint]) };
      throw error;
    });
    options.serve(leaf, issuer);
    const { begins, ends } = leaf;
    log.info({ authority: fingerprint, ends: new Date(ends) }, 'serving a new certificate');
    const renewal = renewalOf(ends, ends - now, jitter);
    memory = { ...memory, served: { issuer: fingerprint, begins, ends, renewal } };
  };

  return async (signal) => {
    const problems: Error[] = [];
    const look = async (): Promise<Seen> => {
      const { seen, problems: met, date } = await cluster.look(signal);
      problems.push(...met);
      if (date !== undefined) serverTime = { date, uptime: options.clock().uptime };
      return seen;
    };
    const failed = new Set<Step>();
    let seen = await look();
    for (let steps = 0; ; steps += 1) {
      const moment = momentOf(options.clock());
      memory = remember(memory, seen, moment);
      const plan = planCertificates(memory, seen, moment, jitter);
      if (steps === 0 && plan.untrusting.length === 0) repairs = 0;
      const step = stepsOf(plan).find((one) => !failed.has(one));
      if (step === undefined || steps === MOST_STEPS || signal.aborted) {
        if (repairs >= MOST_REPAIRS) problems.push(fight());
        return { problems, missing: missingOf(memory, seen, moment), lookAgain: plan.lookAgain };
      }
      try {
        // Somebody else was faster: what is there now decides anew.
        seen = (await take(step, plan, seen, moment, signal)) ?? (await look());
      } catch (error) {
        problems.push(error as Error);
        failed.add(step);
      }
    }
  };
}

/** Each of two writers undoes what the other wrote, and builds fail meanwhile. */
function fight(): ClusterError {
  return new ClusterError('somebody else replaces the caBundle each time it is written', {
    fix: 'See metadata.managedFields of the webhook configurations for who it is, and stop that. For cert-manager, remove the annotation cert-manager.io/inject-ca-from.',
  });
}

/** What is served comes first, since it depends on nothing that is still to be written. */
function stepsOf({ issueBy, untrusting, needsCa }: CertificatePlan): readonly Step[] {
  return [
    ...(issueBy ? (['leaf'] as const) : []),
    ...(untrusting.length > 0 ? (['caBundle'] as const) : []),
    ...(needsCa ? (['ca'] as const) : []),
  ];
}
