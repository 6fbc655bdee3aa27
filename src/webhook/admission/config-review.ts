import {
  describeProblem,
  describeProblems,
  resolveNotaryConfig,
  type ConfigResolution,
} from '../config/notary-config.ts';
import type { ConfigProblem, ConfigSource } from '../config/notary-field.ts';
import { readNotarySection, secretNamesOf, type NotarySection } from '../config/notary-section.ts';
import { labelProblems, signingMode, type SigningMode } from '../config/signing-label.ts';
import type { AdmissionRequest } from './admission.ts';
import { ClusterError, type Cluster } from '../../shared/kubernetes/cluster.ts';
import { readConfigFacts } from './config-facts.ts';
import {
  configSource,
  isGoing,
  saysTheSame,
  serviceAccountOf,
  tagsOf,
} from '../config/config-source.ts';
import {
  labelWarnings,
  malformedNamespaceWarning,
  nothingToSignWarning,
  optOutWarnings,
  riskWarnings,
  serverWarnings,
  uncheckedWarning,
  type SecretFacts,
} from '../config/config-warnings.ts';
import { type Verdict, type AllowCode, allow, deny } from '../policy/verdict.ts';

export interface ConfigReviewSettings {
  readonly cluster: Cluster;
  /** Accounts whose writes are never refused: kpack copies what people wrote. */
  readonly kpackUsers: readonly string[];
}

/**
 * Answers for an Image, Build or Namespace that is written: whether what it says about signing is
 * well-formed, and what is risky about it. The cluster is asked for what it can add; whether it
 * answers decides nothing.
 */
export async function reviewConfig(
  kind: ConfigSource['kind'],
  request: AdmissionRequest,
  settings: ConfigReviewSettings,
): Promise<Verdict> {
  const section = readNotarySection(kind, request.object);
  const { source } = section;
  const labels = kind === 'Namespace' ? labelProblems(source) : [];
  const problems = [...labels, ...section.problems];

  const pass = whyPassed(source, request, settings);
  if (pass) return passed(problems, pass);
  if (kind === 'Namespace') {
    return judged(problems, () => [...section.warnings, ...namespaceWarnings(section)]);
  }
  const { isOptedOut, rootPins } = section;
  const isAlone =
    section.isEmpty || (isOptedOut && !rootPins && secretNamesOf(section).length === 0);
  if (isAlone) return judged(problems, () => section.warnings);
  const { cluster } = settings;
  const { namespace: namespaceName, object } = request;
  const serviceAccountName = serviceAccountOf(object);
  const facts = await readConfigFacts(section, namespaceName, serviceAccountName, cluster).catch(
    asClusterError,
  );
  if (facts instanceof ClusterError) return judgeAlone(section, facts);
  const secretFacts = { ...facts, namespaceName, serviceAccountName, tags: tagsOf(kind, object) };
  return judgeInNamespace(section, facts.admin, secretFacts);
}

function judged(problems: readonly ConfigProblem[], warnings: () => readonly string[]): Verdict {
  if (problems.length === 0) return allow('WELL_FORMED', 'well-formed', warnings());
  const isLabelAlone = problems.every(({ field }) => field.startsWith('metadata.labels'));
  const code = isLabelAlone ? 'NAMESPACE_LABEL_INVALID' : 'NOTARY_CONFIG_INVALID';
  return deny(422, code, describeProblems(problems));
}

/** Why an object is not refused, whatever is in it. */
interface Pass {
  readonly code: Extract<AllowCode, 'MALFORMED_BEFORE' | 'MALFORMED_BY_KPACK'>;
  readonly why: string;
}

function whyPassed(
  source: ConfigSource,
  { object, oldObject, username }: AdmissionRequest,
  { kpackUsers }: ConfigReviewSettings,
): Pass | undefined {
  if (isGoing(object)) return { code: 'MALFORMED_BEFORE', why: 'malformed, and being deleted' };
  if (kpackUsers.includes(username)) {
    return { code: 'MALFORMED_BY_KPACK', why: 'malformed, so its pod is going to be refused' };
  }
  const hasOld = oldObject !== undefined && oldObject !== null;
  if (hasOld && saysTheSame(source, configSource(source.kind, oldObject))) {
    return { code: 'MALFORMED_BEFORE', why: 'malformed, as before' };
  }
  return undefined;
}

/** How many warnings tell what is wrong in an object that passes. */
const MOST_DESCRIBED = 5;

function passed(problems: readonly ConfigProblem[], { code, why }: Pass): Verdict {
  if (problems.length === 0) return allow('WELL_FORMED', 'well-formed');
  const warnings = problems
    .slice(0, MOST_DESCRIBED)
    .map((problem) => `${why}: ${describeProblem(problem)}`);
  return allow(code, why, warnings);
}

/** A Namespace that says nothing. */
const SILENT = readNotarySection('Namespace', undefined);
/** An Image that says nothing. */
const SILENT_IMAGE = readNotarySection('Image', undefined);

function judgeInNamespace(
  section: NotarySection,
  admin: NotarySection,
  facts: SecretFacts,
): Verdict {
  const [adminProblem] = admin.problems;
  // The author of an Image cannot mend the Namespace.
  return judgedWith(section, adminProblem ? SILENT : admin, (resolved) => [
    ...warningsOf(resolved, section.source, signingMode(admin.source), facts),
    ...(adminProblem ? [malformedNamespaceWarning(adminProblem)] : []),
  ]);
}

/** By its own words, as the cluster tells no more. */
function judgeAlone(section: NotarySection, { message }: ClusterError): Verdict {
  return judgedWith(section, SILENT, (resolved) => [
    ...(resolved.kind === 'config' ? serverWarnings(resolved.config) : []),
    uncheckedWarning(message),
  ]);
}

type Valid = Exclude<ConfigResolution, { kind: 'invalid' }>;

function judgedWith(
  section: NotarySection,
  admin: NotarySection,
  warnings: (resolved: Valid) => readonly string[],
): Verdict {
  const resolved = resolveNotaryConfig(section, admin);
  return resolved.kind === 'invalid'
    ? judged(resolved.problems, () => [])
    : judged([], () => [...resolved.warnings, ...warnings(resolved)]);
}

/** What is risky about that which is well-formed, in its namespace. */
function warningsOf(
  resolved: Valid,
  source: ConfigSource,
  mode: SigningMode,
  facts: SecretFacts,
): readonly string[] {
  switch (resolved.kind) {
    case 'opted-out':
      return optOutWarnings(source, mode);
    case 'none':
      return [...labelWarnings(facts.namespaceName, mode), nothingToSignWarning(source)];
    case 'config':
      return [...labelWarnings(facts.namespaceName, mode), ...riskWarnings(resolved.config, facts)];
  }
}

function namespaceWarnings(section: NotarySection): readonly string[] {
  const resolved = resolveNotaryConfig(SILENT_IMAGE, section);
  if (resolved.kind !== 'config') return [];
  const { source } = section;
  return [...labelWarnings(source.name, signingMode(source)), ...serverWarnings(resolved.config)];
}

function asClusterError(error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  throw error;
}
