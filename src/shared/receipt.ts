import type { SignerErrorCode } from '../../shared/error-code.ts';
import type { Gun } from '../../shared/image-reference.ts';
import type { NotaryUrl } from '../../shared/notary-url.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { Target } from '../tuf/publication.ts';
import type { Miss } from '../tuf/client-visibility.ts';

/** `dry-run`: it would have been published, and was not, as asked. */
export type SigningResult = 'signed' | 'already-signed' | 'dry-run' | 'failed';

/** A role as it was read back. */
export interface SignedRole {
  readonly name: string;
  readonly version: number;
  /** RFC 3339. */
  readonly expires: string;
  /** Id of the key that signed, as the role lists it; several are separated by commas. */
  readonly keyId: string;
}

interface Failure {
  readonly code: SignerErrorCode;
  readonly message: string;
  readonly fix: string;
}

export interface RepositoryReceipt extends Partial<Failure> {
  readonly gun: Gun;
  readonly server: NotaryUrl;
  readonly result: SigningResult;
  readonly roles: readonly SignedRole[];
  readonly rootKeyIds: readonly string[];
  readonly targets: readonly Target[];
  /** How often the signer tried to publish. */
  readonly attempts: number;
  /** Readers that do not find just these images for their tags; absent where all do. */
  readonly missedBy?: readonly Miss[];
}

/** What a run of the signer did. `result` is `failed` if any repository failed. */
export interface Receipt extends Partial<Failure> {
  readonly v: 1;
  readonly result: SigningResult;
  readonly source: 'report' | 'registry';
  readonly repositories: readonly RepositoryReceipt[];
}

/** The receipt of a run that came as far as its repositories. */
export function receiptOf(
  source: Receipt['source'],
  repositories: readonly RepositoryReceipt[],
): Receipt {
  const failed = repositories.find(({ result }) => result === 'failed');
  const results = repositories.map(({ result }) => result);
  // The first of these that any repository has is true of the whole.
  const result = (['failed', 'dry-run', 'signed'] as const).find((each) => results.includes(each));
  return {
    v: 1,
    result: result ?? 'already-signed',
    source,
    repositories,
    ...(failed && failureMembers(failed)),
  };
}

/** The receipt of a run that failed before it came to any repository. */
export function failedReceipt(source: Receipt['source'], error: SigningError): Receipt {
  return { v: 1, result: 'failed', source, repositories: [], ...failureOf(error) };
}

export function failureOf({ code, message, fix }: SigningError): Failure {
  return { code, message, fix };
}

function failureMembers({ code, message, fix }: RepositoryReceipt): Partial<Failure> {
  return { ...(code && { code }), ...(message && { message }), ...(fix && { fix }) };
}
