import type { V1Container } from '@kubernetes/client-node';
import { WEBHOOK_ERRORS, type WebhookErrorCode } from '../../shared/error-code.ts';
import { SIGNING_CONTAINER, SYSTEM_NAMESPACES } from '../../shared/names.ts';
import { VERSION } from '../../shared/version.ts';
import { allContainers, type BuildPod } from '../build-pod/build-pod.ts';
import {
  ClusterError,
  type Cluster,
  type ClusterObject,
  type ListedObject,
  type ObjectReference,
} from '../../shared/kubernetes/cluster.ts';
import { describeSigning, findMissing, type Signing } from './explain-signing.ts';
import { subjectOf, type Subject } from './explain-subject.ts';
import { firstReads, secondReads, type ClusterFacts } from '../policy/facts.ts';
import { readLimitRanges } from '../injection/limit-range.ts';
import { planPod } from '../policy/plan.ts';
import { mutatePod } from '../admission/pod-decision.ts';
import type { Verdict, AllowCode } from '../policy/verdict.ts';
import { credentialsOf } from '../config/credentials-secret.ts';
import { signingLabel, type SigningMode, signingMode } from '../config/signing-label.ts';

/** What would become of one object, and why. */
export interface Explanation {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: 'signed' | 'unsigned' | 'refused' | 'unknown';
  readonly code: AllowCode | WebhookErrorCode;
  readonly reason: string;
  /** What to do, where something is refused, cannot be told, or is not as it should be. */
  readonly fix?: string;
  /** The namespace is in audit mode: nothing is done or refused. */
  readonly isAudit: boolean;
  readonly signing?: Signing;
  readonly warnings: readonly string[];
  /** What signing needs, and cannot be found. */
  readonly missing: readonly string[];
}

/** What explaining needs to know beside the cluster. */
export interface ExplainSettings {
  /** Undefined: any; of a pod that has its signing container already, the one that is there. */
  readonly signerImage: string | undefined;
  readonly kpackUsers: readonly [string, ...string[]];
  readonly namespace: string;
}

/** What the signing container would take; it does not decide anything. */
const REQUESTS = { cpu: '100m', memory: '128Mi' };
/** Stands for the image of the signer where none is named; it is never run. */
const ANY_IMAGE = 'signer';

/** Of a pod that is there already, and should not be there so. */
const LEFT_OUT = {
  outcome: 'unsigned',
  code: 'SIGNER_MISSING',
  reason: `it was made without its container ${SIGNING_CONTAINER}`,
  fix: 'Check that the webhook is installed and that the namespace had its label then, and build again.',
} as const;

/** Explains one object by the planner of the webhooks; whatever goes wrong is the explanation. */
export async function explain(
  object: ListedObject,
  cluster: Cluster,
  settings: ExplainSettings,
): Promise<Explanation> {
  const { namespace } = settings;
  const about = { kind: object.kind, namespace, name: object.metadata.name ?? '' };
  const nothing = { isAudit: false, warnings: [], missing: [] };
  const subject = subjectOf(object);
  const { pod } = subject;
  const isSystem = SYSTEM_NAMESPACES.includes(namespace);
  if (!pod || isSystem) {
    const reason = isSystem
      ? 'pods of system namespaces are never touched'
      : 'it is no build pod of kpack';
    return { ...about, ...nothing, outcome: 'unsigned', code: 'NOT_OURS', reason };
  }
  try {
    const { facts, serviceAccount } = await gatherFacts(pod, subject, cluster, namespace);
    const mode = signingMode(facts.label);
    // kpack posts no pod without an owner: such a one is a stranger's.
    const requester = pod.owner ? settings.kpackUsers[0] : '';
    const plan = planPod(pod, requester, facts, settings.kpackUsers);
    const existing = signingContainer(pod);
    const image = settings.signerImage ?? existing?.image ?? ANY_IMAGE;
    const placement = { ...REQUESTS, image };
    const verdict = mutatePod(pod, plan, { placement, version: VERSION });
    const isLeftOut = mode === 'enabled' && isStored(object) && !existing;
    const outcome = isLeftOut && plan.kind === 'inject' ? LEFT_OUT : outcomeOf(verdict, mode);
    const common = { ...about, ...outcome, isAudit: mode === 'audit' };
    if (plan.kind !== 'inject' || verdict.kind === 'deny') {
      return { ...common, warnings: [], missing: [] };
    }
    const signing = describeSigning(plan.signing, [facts.build, facts.image, facts.namespace]);
    return {
      ...common,
      ...(existing && { reason: `it has its container ${SIGNING_CONTAINER}` }),
      signing,
      warnings: plan.warnings,
      missing: await findMissing(signing, pod, serviceAccount, cluster, namespace),
    };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const { fix = WEBHOOK_ERRORS.CLUSTER_UNAVAILABLE.fix, message: reason } = error;
    return { ...about, ...nothing, outcome: 'unknown', code: 'CLUSTER_UNAVAILABLE', reason, fix };
  }
}

/** What the planner needs; Build and Image may be ones that are not there yet. */
async function gatherFacts(
  pod: BuildPod,
  known: Subject,
  cluster: Cluster,
  namespaceName: string,
): Promise<{ readonly facts: ClusterFacts; readonly serviceAccount: ClusterObject | undefined }> {
  const get = async (reference: ObjectReference | undefined) =>
    reference && (await cluster.get(reference));
  const first = firstReads(pod, namespaceName);
  const namespace = await get(first.namespace);
  if (!namespace) throw new ClusterError(`Namespace ${namespaceName} cannot be found`);
  const label = signingLabel(namespace);
  // Nothing else is asked for then, and nothing that is forbidden matters.
  const isOff = signingMode(label) === 'off';
  const wanted = isOff ? [] : [first.serviceAccount, known.build ? undefined : first.build];
  const [serviceAccount, build = known.build] = await Promise.all(wanted.map(get));
  const second = secondReads(pod, { build, namespace, namespaceName }, serviceAccount);
  const [limitRanges, image = known.image, ...secrets] = await Promise.all([
    isOff || second.limitRanges === undefined ? [] : cluster.limitRanges(second.limitRanges),
    ...(isOff ? [] : [known.image ? undefined : second.image, ...(second.secrets ?? [])].map(get)),
  ]);
  const facts = {
    namespaceName,
    namespace,
    label,
    build,
    image,
    credentials: second.secrets && credentialsOf(secrets),
    // `missing` tells them, with what else cannot be found.
    missingSecrets: [],
    bounds: readLimitRanges(limitRanges),
  };
  return { facts, serviceAccount };
}

function outcomeOf(
  verdict: Verdict,
  mode: SigningMode,
): Pick<Explanation, 'outcome' | 'code' | 'reason' | 'fix'> {
  if (verdict.kind === 'deny') {
    const { code, reason, fix } = verdict;
    return { outcome: 'refused', code, reason, fix };
  }
  const { code, reason } = verdict;
  return { outcome: mode !== 'off' && code === 'INJECTED' ? 'signed' : 'unsigned', code, reason };
}

/** Whether it is a pod that an API server has taken, and no manifest of one. */
function isStored({ kind, metadata }: ListedObject): boolean {
  return kind === 'Pod' && metadata.uid !== undefined;
}

function signingContainer({ pod }: BuildPod): V1Container | undefined {
  return allContainers(pod.spec).find(({ name }) => name === SIGNING_CONTAINER);
}
