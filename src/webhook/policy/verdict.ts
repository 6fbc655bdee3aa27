import { type WebhookErrorCode, WEBHOOK_ERRORS } from '../../shared/error-code.ts';
import type { Operation } from 'fast-json-patch';
/** Answer codes: 422 when posting the same again cannot help, 503 when it can. */
export type DenialStatus = 400 | 422 | 503;

/** The answer to a request, before it is put into a review. */
export type Verdict =
  | {
      readonly kind: 'allow';
      readonly code: AllowCode;
      /** Why, for the log. */
      readonly reason: string;
      readonly warnings: readonly string[];
      /** Empty: nothing to change. */
      readonly patch: readonly Operation[];
      /** What it would have been, if not for audit mode. */
      readonly audited?: Verdict;
    }
  | {
      readonly kind: 'deny';
      readonly status: DenialStatus;
      readonly code: WebhookErrorCode;
      readonly reason: string;
      readonly fix: string;
      /** Code, reason and fix in one text. */
      readonly message: string;
      readonly warnings: readonly string[];
    };

/** Why a request is allowed: a closed set, since it is a label of metrics. */
export type AllowCode =
  /** No object that the webhook judges. */
  | 'NOT_OURS'
  | 'NAMESPACE_OFF'
  /** A pod of somebody else that only looks like one of kpack's. */
  | 'NO_BUILD'
  | 'OPTED_OUT'
  | 'NO_CONFIG'
  | 'INJECTED'
  /** As the webhook would have made it. */
  | 'COMPLETE'
  /** A change that touches nothing that signing needs. */
  | 'UNTOUCHED'
  | 'WELL_FORMED'
  /** Malformed, as it was before. */
  | 'MALFORMED_BEFORE'
  /** Malformed, and written by kpack: the build pod is refused. */
  | 'MALFORMED_BY_KPACK'
  /** Would have been refused, if not for audit mode. */
  | 'AUDITED';

/** Allowed, as it is. */
export function allow(
  code: AllowCode,
  reason: string,
  warnings: readonly string[] = [],
): Extract<Verdict, { kind: 'allow' }> {
  return { kind: 'allow', code, reason, warnings, patch: [] };
}

/** Refused, with code, reason and fix in one text: kpack shows it in the Build. */
export function deny(
  status: DenialStatus,
  code: WebhookErrorCode,
  reason: string,
  fix: string = WEBHOOK_ERRORS[code].fix,
): Extract<Verdict, { kind: 'deny' }> {
  const message = `kpack-notary ${code}: ${reason}. Fix: ${fix}`;
  return { kind: 'deny', status, code, reason, fix, message, warnings: [] };
}
