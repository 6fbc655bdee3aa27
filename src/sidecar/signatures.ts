import {
  failureOf,
  joinedResult,
  type RepositoryReceipt,
  type V2Receipt,
} from '../shared/receipt.ts';
import type { SignatureSettings, V2Settings } from '../shared/signer-flags.ts';
import { asSigningError, SigningError } from '../shared/signing-error.ts';
import type { RepositoryPlan } from './image/signing-plan.ts';
import type { Log } from './io/log.ts';
import type { RunContext } from './run-context.ts';
import { prepareV1, type V1Signing } from './v1-signing.ts';
import type { V2Signing } from './v2-signing.ts';

/** What signs. A part that is undefined was not asked for. */
export type Signing =
  | {
      readonly v1: V1Signing;
      /** Rejects where v2 cannot sign. */
      readonly v2: Promise<V2Signing> | undefined;
      /** Whether a failure of v2 is in the receipt alone. */
      readonly isV2Optional: boolean;
    }
  | { readonly v1: undefined; readonly v2: Promise<V2Signing> };

/**
 * Signs the repositories of a build, one after the other. All that can be known for both kinds of
 * signatures is checked before anything is published. While v2 asks the registry for the image, the
 * first Notary v1 repository is loaded already.
 *
 * @throws SigningError as `prepareV1` and `prepareV2`, and nothing was published; of both, where both
 * fail
 */
export async function signRepositories(
  settings: SignatureSettings,
  plan: readonly RepositoryPlan[],
  context: RunContext,
): Promise<readonly RepositoryReceipt[]> {
  const signing = await prepare(settings, plan, context);
  const receipts: RepositoryReceipt[] = [];
  for (const repository of plan) {
    const receipt = await signBoth(repository, signing, context.log);
    if (!isV2Optional(settings)) await signing.v2;
    receipts.push(receipt);
  }
  return receipts;
}

async function prepare(
  settings: SignatureSettings,
  plan: readonly RepositoryPlan[],
  context: RunContext,
): Promise<Signing> {
  // Loaded here: a run of v1 alone compiles none of it.
  const prepareV2 = async (v2: V2Settings) =>
    (await import('./v2-signing.ts')).prepareV2(v2, plan, context);
  const { v1 } = settings;
  if (!v1) return { v1, v2: prepareV2(settings.v2) };
  const v2 = settings.v2 && prepareV2(settings.v2);
  // Heard of by those who wait for it.
  v2?.catch(() => undefined);
  const isOptional = isV2Optional(settings);
  const ofV1 = await prepareV1(v1, context).catch(asSigningError);
  if (!(ofV1 instanceof SigningError)) return { v1: ofV1, v2, isV2Optional: isOptional };
  const ofV2 = isOptional ? undefined : await v2?.catch(asSigningError);
  throw ofV2 instanceof SigningError ? joinedError(ofV1, ofV2) : ofV1;
}

/** Without v1 there is no other outcome than that of v2. */
function isV2Optional({ v1, v2 }: SignatureSettings): boolean {
  return v1 !== undefined && v2?.onFailure === 'warn';
}

/**
 * Signs one repository. The Notary Project signature is pushed while the Notary v1 repository is
 * loaded. v1 is published last: where it is, all is done.
 */
export async function signBoth(
  repository: RepositoryPlan,
  signing: Signing,
  log: Log,
): Promise<RepositoryReceipt> {
  const { gun } = repository;
  const { v1, v2 } = signing;
  if (!v1) {
    const { receipt, error } = await settle(v2, gun);
    return { gun, result: receipt.result, v2: receipt, ...(error && failureOf(error)) };
  }
  if (!v2) return v1(repository, () => Promise.resolve());
  const ofV2 = settle(v2, gun);
  const demand = async () => {
    const { error } = await ofV2;
    if (error && !signing.isV2Optional) throw error;
  };
  const receipt = await v1(repository, demand);
  const { receipt: v2Receipt, error } = await ofV2;
  const { result, code } = receipt;
  if (!error)
    return { ...receipt, result: joinedResult([result, v2Receipt.result]), v2: v2Receipt };
  if (signing.isV2Optional) {
    log.warn(`no Notary Project signature (${error.code}): ${error.message}. ${error.fix}`);
    return { ...receipt, v2: v2Receipt };
  }
  const failure = code === undefined ? failureOf(error) : {};
  return { ...receipt, ...failure, result: 'failed', v2: v2Receipt };
}

interface Outcome {
  readonly receipt: V2Receipt;
  /** Why it failed. */
  readonly error?: SigningError;
}

/** Never rejects: v1 may be busy when v2 fails. */
async function settle(v2: Promise<V2Signing>, gun: RepositoryPlan['gun']): Promise<Outcome> {
  try {
    return { receipt: await (await v2)(gun) };
  } catch (cause) {
    const error = asSigningError(cause);
    return { receipt: { result: 'failed', ...failureOf(error) }, error };
  }
}

function joinedError(first: SigningError, second: SigningError): SigningError {
  // A run that is stopped, or out of time, says so once.
  if (first.message === second.message) return first;
  const message = `${first.message}; besides (${second.code}): ${second.message}`;
  return new SigningError(first.code, message, { cause: first, fix: `${first.fix} ${second.fix}` });
}
