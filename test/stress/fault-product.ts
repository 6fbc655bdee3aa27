/** All faults at all calls, and a sample of them that covers each call and each kind. */
import { FAULT_KINDS, type FaultKind } from './fault-kind.ts';
import type { FaultCase } from './fault-case.ts';

/**
 * Every kind of fault at every call that it can befall.
 *
 * @param calls of a run without a fault, as the fault proxy names them
 */
export function faultProduct(calls: readonly string[]): readonly FaultCase[] {
  return calls.flatMap((call) =>
    FAULT_KINDS.filter((kind) => canBefall(kind, call)).map((kind) => ({ call, kind })),
  );
}

/**
 * Some of them, the same ones each time, in two halves for two setups, of which the first makes calls
 * that the second makes too. The publish is befallen by every kind in one of them, and each other
 * call by one kind, in turn: the connections of the first, all else in the second.
 */
export function faultSample(calls: readonly string[], half: 0 | 1): readonly FaultCase[] {
  const all = faultProduct(calls);
  const atPublish = all.filter(({ call }) => isPublish(call));
  let turn = 0;
  const others = calls
    .filter((call) => !isPublish(call) && (half === 0) === call.startsWith('connect notary'))
    .flatMap((call) => {
      const possible = all.filter((one) => one.call === call && one.kind.isSlow !== true);
      const chosen = possible[turn++ % possible.length];
      return chosen ? [chosen] : [];
    });
  return [...atPublish.filter((_, index) => index % 2 === half), ...others];
}

/** One fault at every call: the kinds in turn, so that each of them befalls some call. */
export function faultTour(calls: readonly string[]): readonly FaultCase[] {
  const all = faultProduct(calls).filter(({ kind }) => kind.isSlow !== true);
  return calls.flatMap((call, i) => {
    const possible = all.filter((one) => one.call === call);
    const chosen = possible[i % possible.length];
    return chosen ? [chosen] : [];
  });
}

function canBefall({ befalls }: FaultKind, call: string): boolean {
  if (call.startsWith('connect ')) return befalls === 'connection';
  return befalls === 'request' || / (?:POST|PUT)\b/.test(call);
}

function isPublish(call: string): boolean {
  return call.startsWith('notary POST');
}
