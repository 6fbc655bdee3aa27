import { KPACK_GROUP } from '../shared/names.ts';
import { allow, deny, type AdmissionRequest, type Verdict } from './admission.ts';
import { readBuildPod, type BuildPod } from './build-pod.ts';
import { ClusterError, type Cluster, type ObjectReference } from './cluster.ts';
import {
  credentialsOf,
  firstReads,
  secondReads,
  signingLabel,
  type ClusterFacts,
} from './facts.ts';
import { validateImage } from './image-review.ts';
import { planPod, signingMode } from './plan.ts';
import { audited, mutatePod, validatePod, type PodReviewSettings } from './pod-review.ts';

/** The two questions that the API server asks. */
export type Question = 'mutate' | 'validate';

export interface ReviewSettings extends PodReviewSettings {
  readonly cluster: Cluster;
  /** Accounts that kpack posts build pods with. */
  readonly kpackUsers: readonly string[];
}

const NOT_OURS = allow('not ours to judge');

/** Answers one request: reads what the decision needs, and leaves the decision to the planner. */
export async function review(
  question: Question,
  request: AdmissionRequest,
  settings: ReviewSettings,
): Promise<Verdict> {
  const { kind, operation, subResource, object, oldObject } = request;
  if (kind.group === KPACK_GROUP && kind.kind === 'Image') {
    const isWrite = operation === 'CREATE' || operation === 'UPDATE';
    return question === 'validate' && isWrite ? validateImage(object, oldObject) : NOT_OURS;
  }
  const isNewPod = kind.group === '' && kind.kind === 'Pod' && operation === 'CREATE';
  const pod = isNewPod && subResource === undefined ? readBuildPod(object) : undefined;
  return pod ? reviewPod(question, pod, request, settings) : NOT_OURS;
}

async function reviewPod(
  question: Question,
  pod: BuildPod,
  { namespace, username }: AdmissionRequest,
  settings: ReviewSettings,
): Promise<Verdict> {
  let facts: ClusterFacts;
  try {
    facts = await readFacts(pod, namespace, settings.cluster);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return deny(503, 'CLUSTER_UNAVAILABLE', error.message, error.fix);
  }
  const plan = planPod(pod, username, facts, settings.kpackUsers);
  const verdict = (question === 'mutate' ? mutatePod : validatePod)(pod, plan, settings);
  return signingMode(facts.label) === 'audit' ? audited(verdict) : verdict;
}

/** Two rounds of parallel reads. */
async function readFacts(
  pod: BuildPod,
  namespaceName: string,
  cluster: Cluster,
): Promise<ClusterFacts> {
  const get = async (reference: ObjectReference | undefined) =>
    reference && (await cluster.get(reference));
  const first = firstReads(pod, namespaceName);
  const [namespace, build, serviceAccount] = await Promise.all([
    get(first.namespace),
    get(first.build),
    get(first.serviceAccount),
  ]);
  const second = secondReads(build, serviceAccount, namespaceName);
  const [image, ...secrets] = await Promise.all([get(second.image), ...second.secrets.map(get)]);
  return {
    namespaceName,
    namespace,
    label: signingLabel(namespace),
    build,
    image,
    credentials: credentialsOf(secrets),
  };
}
