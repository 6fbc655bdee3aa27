import { cutText } from '../../shared/shell-command.ts';
import type { Operation } from 'fast-json-patch';
import { type DenialStatus, type Verdict } from '../policy/verdict.ts';

/**
 * AdmissionReview of admission.k8s.io/v1, as far as the webhook reads and writes it.
 * https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly operation: string;
  readonly subResource: string | undefined;
  /** Empty for objects outside namespaces. */
  readonly namespace: string;
  readonly name: string | undefined;
  readonly username: string;
  /** Whether nothing is going to be stored. */
  readonly isDryRun: boolean;
  readonly object: unknown;
  readonly oldObject: unknown;
}

/** The body is no AdmissionReview of a version that the webhook reads. */
export class ReviewError extends Error {
  override readonly name = 'ReviewError';
  /** Of the request, as far as it could be read: the answer needs it. */
  readonly uid: string;

  constructor(message: string, uid = '') {
    super(message);
    this.uid = uid;
  }
}

const API_VERSION = 'admission.k8s.io/v1';
/** The API server cuts warnings beyond this many characters, where all together are too long. */
const LONGEST_WARNING = 256;
/** The mark at the end of what is cut is one character, of three bytes. */
const LONGEST_WARNING_BYTES = LONGEST_WARNING + 2;
/** Of so long ones it passes on no more than this. */
const MOST_WARNINGS = 16;

/** @throws ReviewError */
export function parseReview(body: unknown): AdmissionRequest {
  const review = members(body, 'the body');
  if (review['apiVersion'] !== API_VERSION || review['kind'] !== 'AdmissionReview') {
    throw new ReviewError(`the body is not an AdmissionReview of ${API_VERSION}`);
  }
  const request = members(review['request'], 'request');
  try {
    return readRequest(request);
  } catch (error) {
    const uid = request['uid'];
    if (!(error instanceof ReviewError) || typeof uid !== 'string') throw error;
    throw new ReviewError(error.message, uid);
  }
}

function readRequest(request: Readonly<Record<string, unknown>>): AdmissionRequest {
  const kind = members(request['kind'], 'request.kind');
  const user = members(request['userInfo'], 'request.userInfo');
  return {
    uid: text(request['uid'], 'request.uid'),
    kind: {
      group: text(kind['group'] ?? '', 'request.kind.group'),
      version: text(kind['version'], 'request.kind.version'),
      kind: text(kind['kind'], 'request.kind.kind'),
    },
    operation: text(request['operation'], 'request.operation'),
    subResource: optionalText(request['subResource'], 'request.subResource'),
    namespace: text(request['namespace'] ?? '', 'request.namespace'),
    name: optionalText(request['name'], 'request.name'),
    username: text(user['username'] ?? '', 'request.userInfo.username'),
    isDryRun: request['dryRun'] === true,
    object: request['object'],
    oldObject: request['oldObject'],
  };
}

/** The review that answers a request: the one place where uid, status and patch are put together. */
export function reviewOf(uid: string, verdict: Verdict): object {
  const warnings = verdict.warnings
    .slice(0, MOST_WARNINGS)
    .map((warning) => cutText(`kpack-notary: ${warning}`, LONGEST_WARNING_BYTES));
  const common = { uid, ...(warnings.length > 0 && { warnings }) };
  return {
    apiVersion: API_VERSION,
    kind: 'AdmissionReview',
    response:
      verdict.kind === 'allow'
        ? { ...common, allowed: true, ...patchMembers(verdict.patch) }
        : { ...common, allowed: false, status: statusOf(verdict) },
  };
}

function patchMembers(patch: readonly Operation[]): object {
  if (patch.length === 0) return {};
  const encoded = Buffer.from(JSON.stringify(patch)).toString('base64');
  return { patchType: 'JSONPatch', patch: encoded };
}

/** Reasons as apimachinery's metav1.Status names them. */
const REASON: Readonly<Record<DenialStatus, string>> = {
  400: 'BadRequest',
  422: 'Invalid',
  503: 'ServiceUnavailable',
};

function statusOf({ status, message }: { status: DenialStatus; message: string }): object {
  return { status: 'Failure', code: status, reason: REASON[status], message };
}

function members(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReviewError(`${path} is not an object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function text(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new ReviewError(`${path} is not a string`);
  return value;
}

function optionalText(value: unknown, path: string): string | undefined {
  return value === undefined || value === null || value === '' ? undefined : text(value, path);
}
