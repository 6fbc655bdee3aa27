import type { AdmissionRequest } from './admission.ts';
import type { BuildPod } from '../build-pod/build-pod.ts';
import { ClusterError, type Cluster } from '../../shared/kubernetes/cluster.ts';
import { readFacts } from '../policy/facts.ts';
import { planPod } from '../policy/pod-decision.ts';
import { audited, decidePod, type PodReviewSettings } from './pod-verdict.ts';
import { type Verdict, deny } from '../policy/verdict.ts';

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

/** Answers for a build pod that is to be created: what the planner decides from what is read. */
export async function reviewPodCreate(
  question: Question,
  pod: BuildPod,
  { namespace, username }: AdmissionRequest,
  settings: ReviewSettings,
): Promise<Verdict> {
  const { kpackUsers, cluster } = settings;
  const reads = readFacts(pod, namespace, kpackUsers.includes(username), cluster);
  try {
    const mode = await reads.mode;
    const decide = async () => {
      const facts = await reads.facts;
      // Reviews that share a read have it at the same time.
      await settings.turn?.();
      const plan = planPod(pod, username, facts, kpackUsers);
      // Where audited, nothing has been injected that could be missing now.
      return decidePod(mode === 'audit' ? 'mutate' : question, pod, plan, settings);
    };
    const verdict = await decide().catch(unavailable);
    return mode === 'audit' ? audited(verdict) : verdict;
  } catch (error) {
    return unavailable(error);
  }
}

function unavailable(error: unknown): Verdict {
  if (!(error instanceof ClusterError)) throw error;
  return deny(503, 'CLUSTER_UNAVAILABLE', error.message, error.fix);
}
