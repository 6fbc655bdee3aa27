/** One fault at one call: a run with it, what independent clients see then, and a run without it. */
import type { SignerRun } from '../support/signer-run.ts';
import type { FaultKind } from './fault-kind.ts';
import type { FaultSetup, SignedTag } from './fault-setup.ts';

/** A fault of a kind at a call, as the fault proxy names it. */
export interface FaultCase {
  readonly call: string;
  readonly kind: FaultKind;
}

/** What became of a case. */
export interface CaseOutcome {
  /** What the first run came to: its result, with the code where there is one; or `killed`. */
  readonly came: string;
  /** Whether the call came at all: a run whose time is short may end before. */
  readonly isStruck: boolean;
  /** What is wrong with that; empty when all is well. */
  readonly complaints: readonly string[];
}

/** How long the run without a fault may take, in seconds. */
const PATIENCE = 60;

/**
 * Runs one case.
 *
 * @param tag one that was never signed
 * @param deadline of the run with the fault, in seconds
 */
export async function runCase(
  setup: FaultSetup,
  { call, kind }: FaultCase,
  tag: SignedTag,
  deadline: number,
): Promise<CaseOutcome> {
  const { faults, servers, sign, oldTag, doubts } = setup;
  const complaints: string[] = [];
  const expect = (isAsExpected: boolean, complaint: string): void => {
    if (!isAsExpected) complaints.push(complaint);
  };
  const killer = new AbortController();
  const meanwhile: Promise<unknown>[] = [];
  const [name = ''] = call.split(' ');
  const { [name]: server = Object.values(servers)[0] } = servers;
  if (!server) throw new Error('there is no server to kill');
  faults.arm({ call, ...kind.fault({ faults, server }, killer, (work) => meanwhile.push(work)) });
  const harmed = await sign(tag, deadline, killer.signal).catch((error: unknown) => {
    if (!killer.signal.aborted) throw error;
    return undefined;
  });
  const isStruck = faults.struck();
  const deletes = () => faults.calls.filter((call) => / DELETE /.test(call));
  complaints.push(...deletes());
  faults.arm();
  await Promise.all(meanwhile);

  const came = outcomeOf(harmed);
  const isExpected = kind.outcome === 'either' || came.split(' ')[0] === kind.outcome;
  expect(isExpected, `expected ${kind.outcome}, came to ${came}\n${harmed?.stdout ?? ''}`);
  if (harmed) complaints.push(...contradictions(harmed));
  if (harmed && harmed.receipt.result !== 'failed') {
    complaints.push(...(await doubts([oldTag, tag])));
    return { came, isStruck, complaints };
  }
  complaints.push(...(await doubts([oldTag])));
  if (hasSignedV2(harmed)) complaints.push(...(await doubts([tag], 'v2')));
  const repaired = await sign(tag, PATIENCE);
  const isRepaired = ['signed', 'already-signed'].includes(repaired.receipt.result);
  expect(isRepaired && repaired.code === 0, `the run after that failed\n${repaired.stdout}`);
  complaints.push(...deletes());
  const still = await doubts([oldTag, tag]);
  complaints.push(...still.map((doubt) => `after the run after that: ${doubt}`));
  return { came, isStruck, complaints };
}

function outcomeOf(run: SignerRun | undefined): string {
  if (!run) return 'killed';
  const { result, code } = run.receipt;
  return code === undefined ? result : `${result} ${code}`;
}

/** Whether a run that failed says that it has made a Notary Project signature all the same. */
function hasSignedV2(run: SignerRun | undefined): boolean {
  const { result = 'failed' } = run?.receipt.repositories[0]?.v2 ?? {};
  return result !== 'failed';
}

/** What of exit code, receipt, last line and termination message does not agree. */
function contradictions({ code, receipt, lastLine, terminationMessage }: SignerRun): string[] {
  const told = [code, receipt.code, lastLine, terminationMessage].join(' | ');
  if (receipt.result === 'failed') {
    const says = `notary-sign failed (${receipt.code ?? 'no code'}): `;
    const isTold = terminationMessage.startsWith(says) && /Fix: ./.test(terminationMessage);
    const isSame = lastLine === terminationMessage && Buffer.byteLength(lastLine) <= 1024;
    const isFull = (receipt.fix ?? '') !== '' && receipt.code !== 'INTERNAL';
    return code === 1 && isTold && isSame && isFull ? [] : [`a failure told badly: ${told}`];
  }
  const { result } = JSON.parse(terminationMessage) as { readonly result?: unknown };
  const isSame = result === receipt.result && lastLine.startsWith(receipt.result.replace('-', ' '));
  return code === 0 && isSame ? [] : [`a success told badly: ${told}`];
}
