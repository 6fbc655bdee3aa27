import { WEBHOOK_ERRORS, type WebhookErrorCode } from '../../shared/error-code.ts';
import { SIGNING_CONTAINER, SYSTEM_NAMESPACES } from '../../shared/names.ts';
import { VERSION } from '../../shared/version.ts';
import { signerOf } from '../build-pod/build-pod.ts';
import { ClusterError, type Cluster, type ListedObject } from '../../shared/kubernetes/cluster.ts';
import { describeSigning, findMissing, type Signing } from './explain-signing.ts';
import type { ExplainOptions } from './explain-settings.ts';
import { subjectOf } from './explain-subject.ts';
import { readFacts } from '../policy/facts.ts';
import { planPod } from '../policy/pod-decision.ts';
import { decidePod } from '../admission/pod-verdict.ts';
import type { Verdict, AllowCode } from '../policy/verdict.ts';
import type { SigningMode } from '../config/signing-label.ts';

/** What would become of one object, and why. */
export interface Explanation {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: 'signed' | 'unsigned' | 'refused' | 'unknown';
  readonly code: AllowCode | WebhookErrorCode;
  readonly reason: string;
  /** What to do, where something is refused, unknown, or not as it should be. */
  readonly fix?: string;
  /** The namespace is in audit mode: nothing is done or refused. */
  readonly isAudit: boolean;
  readonly signing?: Signing;
  readonly warnings: readonly string[];
  /** What signing needs, and cannot be found. */
  readonly missing: readonly string[];
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
  settings: Pick<ExplainOptions, 'namespace' | 'kpackUsers' | 'signerImage'>,
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
    const facts = await readFacts(pod, namespace, true, cluster, subject).facts;
    const { mode } = facts;
    // kpack posts no pod without an owner: such a one is a stranger's.
    const requester = pod.owner ? settings.kpackUsers[0] : '';
    const plan = planPod(
      pod,
      requester,
      // `missing` tells them, with what else cannot be found.
      { ...facts, missingSecrets: [] },
      settings.kpackUsers,
    );
    const existing = signerOf(pod.pod);
    const image = settings.signerImage ?? existing?.image ?? ANY_IMAGE;
    const placement = { ...REQUESTS, image };
    const verdict = decidePod('mutate', pod, plan, { placement, version: VERSION });
    const isLeftOut = mode === 'enabled' && isStored(object) && !existing;
    const outcome = isLeftOut && plan.kind === 'inject' ? LEFT_OUT : outcomeOf(verdict, mode);
    const common = { ...about, ...outcome, isAudit: mode === 'audit' };
    if (plan.kind !== 'inject' || verdict.kind === 'deny') {
      return { ...common, warnings: [], missing: [] };
    }
    const signing = describeSigning(plan.signing, facts);
    return {
      ...common,
      ...(existing && { reason: `it has its container ${SIGNING_CONTAINER}` }),
      signing,
      warnings: plan.warnings,
      missing: await findMissing(signing, pod, facts, cluster),
    };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const { fix = WEBHOOK_ERRORS.CLUSTER_UNAVAILABLE.fix, message: reason } = error;
    return { ...about, ...nothing, outcome: 'unknown', code: 'CLUSTER_UNAVAILABLE', reason, fix };
  }
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
