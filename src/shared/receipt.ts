import type { SignerErrorCode } from './error-code.ts';
import type { Gun } from './image-reference.ts';
import type { NotaryUrl } from './notary-url.ts';
import type { SigningError } from './signing-error.ts';

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

/** A tag, and the image that it names; the length is in bytes. */
export interface SignedTarget {
  readonly tag: string;
  readonly sha256: string;
  readonly length: number;
}

/** A reader that does not find the image for a tag. */
export interface MissingReader {
  readonly reader: string;
  readonly tag: string;
  readonly sees: string;
  readonly role?: string;
}

interface Failure {
  readonly code: SignerErrorCode;
  readonly message: string;
  readonly fix: string;
}

/** What became of the Notary v1 signatures of a repository. */
export interface V1Receipt {
  readonly server: NotaryUrl;
  /** The root that was trusted; absent where none was. */
  readonly root?: { readonly version: number; readonly expires: string };
  readonly roles: readonly SignedRole[];
  readonly rootKeyIds: readonly string[];
  readonly targets: readonly SignedTarget[];
  /** How often the signer tried to publish. */
  readonly attempts: number;
  /** Readers that do not find just these images for their tags; absent where all do. */
  readonly missedBy?: readonly MissingReader[];
}

/** What became of the Notary Project signature of a repository; the rest is absent where it failed. */
export interface V2Receipt extends Partial<Failure> {
  readonly result: SigningResult;
  /** Of the signature manifest, `sha256:<hex>`. */
  readonly digest?: string;
  /** Where verifiers find it: in the referrers API, or at the tag of the fallback index. */
  readonly listed?: 'api' | 'tag';
  /** SHA-256 of the signing certificate, hex. */
  readonly thumbprint?: string;
  /** The earliest end of a certificate of the chain, RFC 3339. */
  readonly notAfter?: string;
  /** When the signature says that it ends, RFC 3339. */
  readonly expiry?: string;
  /** When a timestamp server saw the signature, and the earliest end of its certificates. */
  readonly timestamp?: { readonly time: string; readonly notAfter: string };
  /** How many Notary Project signatures the registry lists for the image. */
  readonly count?: number;
}

/** What became of one repository; the members of v1 are absent where v1 was not asked for. */
export interface RepositoryReceipt extends Partial<Failure>, Partial<V1Receipt> {
  readonly gun: Gun;
  /** Of both parts together. */
  readonly result: SigningResult;
  /** Absent where it was not asked for. */
  readonly v2?: V2Receipt;
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
  return {
    v: 1,
    result: joinedResult(repositories.map(({ result }) => result)),
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

/** The result of a whole: the first of these that any of its parts has. */
export function joinedResult(results: readonly SigningResult[]): SigningResult {
  const all = ['failed', 'dry-run', 'signed'] as const;
  return all.find((each) => results.includes(each)) ?? 'already-signed';
}

function failureMembers({ code, message, fix }: Partial<Failure>): Partial<Failure> {
  return { ...(code && { code }), ...(message && { message }), ...(fix && { fix }) };
}
