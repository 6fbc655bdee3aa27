import type { FastifyBaseLogger } from 'fastify';
import type { WebhookErrorCode } from '../../shared/error-code.ts';
import type { AdmissionRequest } from '../admission/admission.ts';
import type { OwnerReference } from '../../shared/kubernetes/cluster.ts';
import type { Question } from '../admission/pod-create.ts';
import type { Verdict, AllowCode } from '../policy/verdict.ts';

/** What an operator is told about a verdict. Every member is of a closed set. */
export interface Decision {
  /** `audit`: nothing was changed or refused; the others say what would have been. */
  readonly mode: 'enforce' | 'audit';
  readonly decision: 'allow' | 'patch' | 'deny';
  readonly code: AllowCode | WebhookErrorCode;
}

/** The decision that a verdict stands for; in audit mode, the one that it would have been. */
export function decisionOf(verdict: Verdict): Decision {
  if (verdict.kind === 'allow' && verdict.audited) {
    return { ...decisionOf(verdict.audited), mode: 'audit' };
  }
  const { code } = verdict;
  if (verdict.kind === 'deny') return { mode: 'enforce', decision: 'deny', code };
  return { mode: 'enforce', decision: verdict.patch.length > 0 ? 'patch' : 'allow', code };
}

/** Truncate long fields, so that users cannot fill the log. */
const LONGEST_NAME = 256;
const LONGEST_REASON = 4096;
const MOST_WARNINGS = 10;

/** One line a decision; of the object, nothing but names. */
export function logDecision(
  log: FastifyBaseLogger,
  question: Question,
  request: AdmissionRequest,
  verdict: Verdict,
  milliseconds: number,
): void {
  const { uid, kind, operation, namespace, name, username, isDryRun, object } = request;
  const metadata = metadataOf(object ?? request.oldObject);
  log.info(
    {
      uid: cut(uid),
      question,
      kind: cut(kind.kind),
      operation: cut(operation),
      namespace: cut(namespace),
      // A name that the API server is going to make is not there yet.
      name: cut(name ?? metadata.name ?? metadata.generateName),
      owner: cut(controllerOf(metadata.ownerReferences)),
      username: cut(username),
      dryRun: isDryRun,
      ...decisionOf(verdict),
      reason: cut(verdict.kind === 'deny' ? verdict.message : verdict.reason, LONGEST_REASON),
      // Who posts a build pod is kpack's controller, which shows them to nobody.
      ...(verdict.warnings.length > 0 && {
        warnings: verdict.warnings.slice(0, MOST_WARNINGS).map((warning) => cut(warning)),
      }),
      ms: Math.round(milliseconds * 10) / 10,
    },
    'reviewed',
  );
}

/** Kind and name of the controller among the owners: of a build pod, its Build. */
function controllerOf(owners: unknown): string | undefined {
  if (!Array.isArray(owners)) return undefined;
  const controller = (owners as (Partial<OwnerReference> | null)[]).find(
    (owner) => owner?.controller === true,
  );
  if (!controller) return undefined;
  // Of any type, where it is no API server that asks.
  const words = [controller.kind, controller.name].map((word: unknown) =>
    typeof word === 'string' ? word : '?',
  );
  return words.join('/');
}

function metadataOf(object: unknown): {
  readonly name?: unknown;
  readonly generateName?: unknown;
  readonly ownerReferences?: unknown;
} {
  return (object as { metadata?: object | null } | null | undefined)?.metadata ?? {};
}

function cut(text: unknown, longest = LONGEST_NAME): string | undefined {
  if (typeof text !== 'string') return undefined;
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
