import type { SignerErrorCode } from '../shared/error-code.ts';
import { cutText } from '../shared/shell-command.ts';
import type { Receipt, RepositoryReceipt } from '../shared/receipt.ts';

/** The kubelet cuts at 12288 bytes over all containers of the pod; this stays below it in any. */
const LIMIT_BYTES = 1024;

/**
 * What the kubelet keeps of a run. A failed build gets one sentence for people, since kpack shows
 * it verbatim in the Build; everything else the receipt, with lists cut and counted where it is too
 * long. Never empty, never over 1,024 bytes.
 *
 * @param failsBuild whether the container ends with an error
 */
export function terminationMessage(receipt: Receipt, failsBuild: boolean): string {
  return failsBuild ? failureSentence(receipt, LIMIT_BYTES) : shortReceipt(receipt);
}

/**
 * What failed, where, why, and what to do: one sentence for people.
 *
 * @param limit the most bytes; the fix is cut last, and never one of its commands
 */
export function failureSentence(
  { code, message, fix, repositories }: Receipt,
  limit = Infinity,
): string {
  const shares = [...partsOf(repositories), ...shareOf(repositories)];
  const share = shares.length > 0 ? ` (${shares.join('; ')})` : '';
  const head = `notary-sign failed (${code ?? 'INTERNAL'}): `;
  const [what, then] = [message ?? '', `${share}. Fix: `];
  const room = limit - Buffer.byteLength(head) - Buffer.byteLength(then);
  const whatRoom = Math.min(Buffer.byteLength(what), limit / 4);
  const shortFix = cutText(fix ?? '', room - whatRoom, MORE);
  return `${head}${cutText(what, room - Buffer.byteLength(shortFix))}${then}${shortFix}`;
}

/** How many of several repositories are signed. */
function shareOf(repositories: readonly RepositoryReceipt[]): readonly string[] {
  const signed = repositories.filter(({ result }) => result !== 'failed').length;
  return repositories.length > 1 ? [`${signed} of ${repositories.length} repositories signed`] : [];
}

/** Which signatures the first repository has that failed, where it was to get both. */
function partsOf(repositories: readonly RepositoryReceipt[]): readonly string[] {
  const failed = repositories.find(({ result }) => result === 'failed');
  const { v1, v2 } = failed ? signedParts(failed) : {};
  if (v1 === undefined || v2 === undefined || v1 === v2) return [];
  return [v2 ? 'v2 signed, v1 not' : 'v1 signed, v2 not'];
}

/** Which kinds of signatures a repository has; undefined: was not to get. */
function signedParts({ roles, v2 }: RepositoryReceipt): { v1?: boolean; v2?: boolean } {
  return {
    ...(roles && { v1: roles.length > 0 }),
    ...(v2 && { v2: v2.result !== 'failed' }),
  };
}

/** Failures after which some of a repository's tags may be signed. */
const MAYBE_OUT: readonly SignerErrorCode[] = ['READ_BACK_FAILED', 'TAG_SUPERSEDED'];

/**
 * What became of the signatures of a failed run, in a few words that the failure sentence does not
 * hold.
 *
 * @param failsBuild as of {@link terminationMessage}
 */
export function lastLine({ repositories }: Receipt, failsBuild: boolean): string {
  const signed = repositories.filter(({ result }) => result !== 'failed').length;
  const isUnknown = repositories.some(({ code }) => code !== undefined && MAYBE_OUT.includes(code));
  const inPart = repositories.filter(
    (each) => each.result === 'failed' && Object.values(signedParts(each)).includes(true),
  ).length;
  const known = isUnknown ? 'known to be signed' : 'signed';
  const all =
    signed === 0
      ? `nothing ${isUnknown ? 'is' : 'was'} ${known}${inPart > 0 ? ' completely' : ''}`
      : `${signed} of ${repositories.length} repositories ${isUnknown ? 'are' : 'were'} ${known}`;
  const outcome = inPart > 0 ? `${all} (${[...partsOf(repositories)].join()})` : all;
  if (failsBuild) return outcome;
  return signed === 0 && !isUnknown && inPart === 0
    ? 'the build goes on unsigned, since on-failure is warn'
    : `the build goes on, since on-failure is warn; ${outcome}`;
}

/** The end of a fix that is cut; its commands are not. */
const MORE = '… (all of it is in the log of notary-sign)';

/** Leaves out repositories, then entries of their lists, from the end, until the rest fits. */
function shortReceipt(receipt: Receipt): string {
  const whole = JSON.stringify(receipt);
  if (Buffer.byteLength(whole) <= LIMIT_BYTES) return whole;
  const ends = earliestEnds(receipt.repositories);
  for (let kept = receipt.repositories.length; kept > 0; kept--) {
    const omitted = receipt.repositories.length - kept;
    for (const shorten of SHORTER) {
      const text = JSON.stringify({
        ...shortFailure(receipt),
        repositories: receipt.repositories.slice(0, kept).map(shorten),
        ...ends,
        ...(omitted > 0 && { omitted }),
      });
      if (Buffer.byteLength(text) <= LIMIT_BYTES) return text;
    }
  }
  return JSON.stringify({
    ...shortFailure(receipt),
    repositories: [],
    ...ends,
    omitted: receipt.repositories.length,
  });
}

/** What ends first of each kind, in all repositories: that is never cut. */
function earliestEnds(repositories: readonly RepositoryReceipt[]): object {
  const ends = new Map<string, string>();
  const note = (kind: string, end: string | undefined) => {
    const known = ends.get(kind);
    if (end === undefined || (known !== undefined && Date.parse(known) <= Date.parse(end))) return;
    ends.set(kind, end);
  };
  for (const { root, roles = [], v2 } of repositories) {
    note('root', root?.expires);
    for (const { name, expires } of roles) note(name === 'targets' ? name : 'delegation', expires);
    note('certificate', v2?.notAfter);
    note('tsa', v2?.timestamp?.notAfter);
  }
  return ends.size > 0 ? { ends: Object.fromEntries(ends) } : {};
}

/** Ways to write a repository, each shorter than the one before; entries left out are counted. */
const SHORTER: readonly ((repository: RepositoryReceipt) => object)[] = [
  (repository) => withEntries(repository, 4, 4),
  (repository) => withEntries(repository, 1, 1),
  (repository) => withEntries(repository, 1, 0),
  ({ gun, result, targets = [], missedBy = [], code, v2 }) => ({
    ...{ gun, result, code },
    ...(v2 && { v2: { result: v2.result, code: v2.code, digest: v2.digest } }),
    omitted: targets.length + missedBy.length,
  }),
];

/** @param targetsKept, missesKept how many entries at most */
function withEntries(
  repository: RepositoryReceipt,
  targetsKept: number,
  missesKept: number,
): object {
  const { targets = [], missedBy = [], message, fix, v2, ...rest } = repository;
  const kept = { targets: targets.slice(0, targetsKept), missedBy: missedBy.slice(0, missesKept) };
  const omitted = targets.length - kept.targets.length + missedBy.length - kept.missedBy.length;
  return {
    ...rest,
    ...(kept.targets.length > 0 && { targets: kept.targets }),
    ...(kept.missedBy.length > 0 && { missedBy: kept.missedBy }),
    ...(v2 && { v2: { ...v2, message: undefined, fix: undefined } }),
    ...(omitted > 0 && { omitted }),
  };
}

function shortFailure({ message, fix, ...receipt }: Receipt): object {
  return {
    ...receipt,
    ...(message !== undefined && { message: cutJson(message, LIMIT_BYTES / 4) }),
    ...(fix !== undefined && { fix: cutJson(fix, LIMIT_BYTES / 4) }),
  };
}

/** At most so many bytes as JSON, in which quotes take two. */
function cutJson(text: string, bytes: number): string {
  let kept = cutText(text, bytes);
  for (let room = bytes; Buffer.byteLength(JSON.stringify(kept)) > bytes; room -= 16) {
    kept = cutText(text, room);
  }
  return kept;
}
