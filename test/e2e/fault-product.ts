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
 * Some of them, the same ones each time: every kind at the publish, and one at each other call, in
 * turn.
 */
export function faultSample(calls: readonly string[]): readonly FaultCase[] {
  const all = faultProduct(calls);
  let turn = 0;
  const others = calls
    .filter((call) => !isPublish(call))
    .flatMap((call) => {
      const possible = all.filter((one) => one.call === call && !one.kind.isSlow);
      const chosen = possible[turn++ % possible.length];
      return chosen ? [chosen] : [];
    });
  return [...all.filter(({ call }) => isPublish(call)), ...others];
}

function canBefall({ befalls }: FaultKind, call: string): boolean {
  if (call.startsWith('connect ')) return befalls === 'connection';
  return befalls === 'request' || (befalls === 'body' && isPublish(call));
}

function isPublish(call: string): boolean {
  return call.startsWith('notary POST');
}
