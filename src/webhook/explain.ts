import { SIGNING_CONTAINER } from '../shared/names.ts';
import { WEBHOOK_ERRORS } from '../shared/error-code.ts';
import { readNotarySection } from '../shared/notary-section.ts';
import { serverHost } from '../shared/notary-url.ts';
import type { AllowCode, Verdict } from './admission.ts';
import type { WebhookErrorCode } from '../shared/error-code.ts';
import type { BuildPod } from './build-pod.ts';
import {
  ClusterError,
  type Cluster,
  type ClusterObject,
  type ListedObject,
  type ObjectReference,
} from './cluster.ts';
import { subjectOf, type Subject } from './explain-subject.ts';
import {
  configSource,
  credentialsOf,
  firstReads,
  secondReads,
  signingLabel,
  signingMode,
  type ClusterFacts,
  type SigningMode,
} from './facts.ts';
import { planPod, type PlannedSigning } from './plan.ts';
import { mutatePod, type PodReviewSettings } from './pod-review.ts';

/** What would become of one object, and why. */
export interface Explanation {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: 'signed' | 'unsigned' | 'refused' | 'unknown';
  readonly code: AllowCode | WebhookErrorCode;
  readonly reason: string;
  /** Of a refusal, or where something cannot be told. */
  readonly fix?: string;
  /** The namespace is in audit mode: nothing is done or refused. */
  readonly isAudit: boolean;
  readonly signing?: Signing;
  readonly warnings: readonly string[];
  /** What signing needs, and cannot be found. */
  readonly missing: readonly string[];
}

/** How it would be signed; of Secrets, the names. */
export interface Signing {
  readonly url: string;
  /** Which object says so, and where. */
  readonly source: string;
  readonly secret: string;
  readonly caSecret: string | undefined;
  readonly credentials: readonly string[];
  readonly rootPins: readonly string[];
  readonly onFailure: string;
  readonly tags: readonly string[];
}

/** What explaining needs to know beside the cluster. */
export interface ExplainSettings extends PodReviewSettings {
  readonly kpackUsers: readonly [string, ...string[]];
  readonly namespace: string;
}

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
  const { pod, isReal } = subject;
  if (!pod) {
    const reason = 'it is no build pod of kpack';
    return { ...about, ...nothing, outcome: 'unsigned', code: 'NOT_OURS', reason };
  }
  try {
    const { facts, serviceAccount } = await gatherFacts(pod, subject, cluster, namespace);
    const mode = signingMode(facts.label);
    const plan = planPod(pod, settings.kpackUsers[0], facts, settings.kpackUsers);
    const verdict = mutatePod(pod, plan, settings);
    const common = { ...about, ...outcomeOf(verdict, mode), isAudit: mode === 'audit' };
    if (plan.kind !== 'inject' || verdict.kind === 'deny') {
      return { ...common, warnings: [], missing: [] };
    }
    const signing = describe(plan.signing, [facts.build, facts.image, facts.namespace]);
    return {
      ...common,
      ...(isReal && isInjected(pod) && { reason: `it has its container ${SIGNING_CONTAINER}` }),
      signing,
      warnings: [...plan.warnings, ...credentialsWarning(plan.signing, pod)],
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
  const [namespace, serviceAccount, build = known.build] = await Promise.all([
    get(first.namespace),
    get(first.serviceAccount),
    known.build ? undefined : get(first.build),
  ]);
  if (!namespace) throw new ClusterError(`Namespace ${namespaceName} cannot be found`);
  const second = secondReads(build, serviceAccount, namespaceName);
  const [image = known.image, ...secrets] = await Promise.all(
    [known.image ? undefined : second.image, ...second.secrets].map(get),
  );
  const label = signingLabel(namespace);
  const facts = {
    namespaceName,
    namespace,
    label,
    build,
    image,
    credentials: credentialsOf(secrets),
  };
  return { facts, serviceAccount };
}

function outcomeOf(
  verdict: Verdict,
  mode: SigningMode,
): Pick<Explanation, 'outcome' | 'code' | 'reason' | 'fix'> {
  if (verdict.kind === 'deny') {
    const [, reason = verdict.message, fix] =
      /^kpack-notary \S+: (.*)\. Fix: (.*)$/s.exec(verdict.message) ?? [];
    return { outcome: 'refused', code: verdict.code, reason, ...(fix !== undefined && { fix }) };
  }
  const { code, reason } = verdict;
  return { outcome: mode !== 'off' && code === 'INJECTED' ? 'signed' : 'unsigned', code, reason };
}

function describe(
  { config, tags, credentials }: PlannedSigning,
  objects: readonly [
    build: ClusterObject | undefined,
    image: ClusterObject | undefined,
    namespace: ClusterObject | undefined,
  ],
): Signing {
  return {
    url: config.url,
    source: sourceOf(config, objects),
    secret: config.secretName,
    caSecret: config.caSecretName,
    credentials: credentials.map(({ secretName }) => secretName),
    rootPins: config.rootPins,
    onFailure: config.onFailure,
    tags,
  };
}

/** Which object the url comes from: the first that says the same. */
function sourceOf(
  { url, secretName }: PlannedSigning['config'],
  [build, image, namespace]: Parameters<typeof describe>[1],
): string {
  const levels = [
    // What kpack has copied is better known by where it was written.
    configSource('Image', image),
    configSource('Build', build),
    configSource('Namespace', namespace),
  ];
  for (const level of levels) {
    const { unit } = readNotarySection(level);
    if (unit?.url !== url || unit.secretName !== secretName) continue;
    const hasSection = level.section !== undefined && level.section !== null;
    return `${hasSection ? 'spec.notary' : 'annotations'} of ${level.kind} ${level.name}`;
  }
  return 'unknown';
}

function isInjected({ pod }: BuildPod): boolean {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].some(
    ({ name }) => name === SIGNING_CONTAINER,
  );
}

function credentialsWarning(
  { config, credentials }: PlannedSigning,
  { serviceAccountName }: BuildPod,
): string[] {
  if (credentials.length > 0) return [];
  const host = serverHost(config.url);
  return [
    `no Secret of ServiceAccount ${serviceAccountName} has the annotation kpack.io/notary.v1: ${host}; that is enough only where the server asks for no credentials`,
  ];
}

/** Secrets, and the service account, that are named and not there. */
async function findMissing(
  { secret, caSecret, credentials }: Signing,
  { serviceAccountName }: BuildPod,
  serviceAccount: ClusterObject | undefined,
  cluster: Cluster,
  namespace: string,
): Promise<readonly string[]> {
  const named = new Map([[secret, 'the signing key']]);
  if (caSecret !== undefined) named.set(caSecret, 'the CA of the server');
  for (const { name } of serviceAccount?.secrets ?? []) {
    if (name !== undefined && !credentials.includes(name) && !named.has(name)) {
      named.set(name, `named by ServiceAccount ${serviceAccountName}`);
    }
  }
  const looks = [...named].map(async ([name, what]) => {
    const found = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    return found ? [] : [`Secret ${name} (${what})`];
  });
  const missing = (await Promise.all(looks)).flat();
  return serviceAccount ? missing : [`ServiceAccount ${serviceAccountName}`, ...missing];
}
