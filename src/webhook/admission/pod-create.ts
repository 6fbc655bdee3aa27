import type { AdmissionRequest } from './admission.ts';
import type { BuildPod } from '../build-pod/build-pod.ts';
import {
  ClusterError,
  type Cluster,
  type ClusterObject,
  type ObjectReference,
} from '../../shared/kubernetes/cluster.ts';
import { firstReads, missingOf, secondReads, type ClusterFacts } from '../policy/facts.ts';
import { readLimitRanges, UNBOUNDED } from '../injection/limit-range.ts';
import { planPod } from '../policy/plan.ts';
import { audited, mutatePod, validatePod, type PodReviewSettings } from './pod-decision.ts';
import { type Verdict, allow, deny } from '../policy/verdict.ts';
import { credentialsOf } from '../config/credentials-secret.ts';
import { signingLabel, signingMode } from '../config/signing-label.ts';

/** The two questions that the API server asks. */
export type Question = 'mutate' | 'validate';

export interface ReviewSettings extends PodReviewSettings {
  readonly cluster: Cluster;
  /** Accounts that kpack posts build pods with. */
  readonly kpackUsers: readonly string[];
  /** The namespace that the webhook itself runs in; undefined: in none. */
  readonly ownNamespace: string | undefined;
  /** Resolves when there is time to decide, after the reads; undefined: there always is. */
  readonly turn?: () => Promise<void>;
}

/**
 * Answers for a build pod that is to be created: at most two rounds of reads, and the decision of
 * the planner.
 */
export async function reviewPodCreate(
  question: Question,
  pod: BuildPod,
  { namespace: namespaceName, username }: AdmissionRequest,
  settings: ReviewSettings,
): Promise<Verdict> {
  const reads = firstReads(pod, namespaceName);
  const reading = get(reads.namespace, settings);
  // Under way at the same time; the namespace decides whether their failure matters.
  const others = Promise.all(
    [reads.build, reads.serviceAccount].map((item) => get(item, settings)),
  );
  others.catch(() => undefined);
  try {
    const namespace = await reading;
    // The namespace of a new pod exists: who says otherwise is not its API server.
    if (!namespace) throw new ClusterError(`Namespace ${namespaceName} cannot be found`);
    const label = signingLabel(namespace);
    const mode = signingMode(label);
    if (mode === 'off') return allow('NAMESPACE_OFF', 'the namespace is not opted in');
    const verdict = await others
      .then(([build, serviceAccount]) => {
        const known = { namespaceName, namespace, label, build };
        // Strangers are refused by what is known; nobody else makes us read on.
        return settings.kpackUsers.includes(username)
          ? readFacts(pod, known, serviceAccount, settings)
          : { ...known, ...NOT_READ };
      })
      .then(async (facts) => {
        // Reviews that share a read have it at the same time.
        await settings.turn?.();
        const plan = planPod(pod, username, facts, settings.kpackUsers);
        // Where audited, nothing has been injected that could be missing now.
        const isToBeMade = question === 'mutate' || mode === 'audit';
        return (isToBeMade ? mutatePod : validatePod)(pod, plan, settings);
      })
      .catch(unavailable);
    return mode === 'audit' ? audited(verdict) : verdict;
  } catch (error) {
    return unavailable(error);
  }
}

/** What the second round of reads brings, where there is none. */
const NOT_READ = {
  image: undefined,
  credentials: [],
  missingSecrets: [],
  bounds: UNBOUNDED,
} as const;

/** The second round of reads: the Image, Secrets, and LimitRanges. */
async function readFacts(
  pod: BuildPod,
  known: Omit<ClusterFacts, keyof typeof NOT_READ>,
  serviceAccount: ClusterObject | undefined,
  settings: ReviewSettings,
): Promise<ClusterFacts> {
  const reads = secondReads(pod, known, serviceAccount);
  const getAll = (references: readonly ObjectReference[]) =>
    Promise.all(references.map((item) => get(item, settings)));
  const [image, secrets, unitSecrets, limitRanges] = await Promise.all([
    get(reads.image, settings),
    reads.secrets && getAll(reads.secrets),
    getAll(reads.unitSecrets),
    reads.limitRanges === undefined ? [] : settings.cluster.limitRanges(reads.limitRanges),
  ]);
  return {
    ...known,
    image,
    credentials: secrets && credentialsOf(secrets),
    missingSecrets: missingOf(reads.unitSecrets, unitSecrets),
    bounds: readLimitRanges(limitRanges),
  };
}

async function get(
  reference: ObjectReference | undefined,
  { cluster }: ReviewSettings,
): Promise<ClusterObject | undefined> {
  return reference && (await cluster.get(reference));
}

function unavailable(error: unknown): Verdict {
  if (!(error instanceof ClusterError)) throw error;
  return deny(503, 'CLUSTER_UNAVAILABLE', error.message, error.fix);
}
