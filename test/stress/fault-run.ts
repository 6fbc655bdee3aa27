/** Many cases in one setup, one after the other; the setup itself tells what its calls are. */
import { runCase, type FaultCase } from './fault-case.ts';
import type { FaultSetup, SignedTag } from './fault-setup.ts';

/** A case that was run. */
export interface FaultResult {
  /** `call: kind`. */
  readonly title: string;
  readonly came: string;
  readonly complaints: readonly string[];
  readonly milliseconds: number;
}

/** How long runs may take, in seconds. */
export interface Deadlines {
  /** Those that end late in any case. */
  readonly late: number;
  readonly other: number;
}

/** The calls of a run without a fault, as the fault proxy names them. */
export async function cleanCalls({ faults, sign }: FaultSetup): Promise<readonly string[]> {
  faults.arm();
  const { receipt, stdout } = await sign(numbered(0), 30);
  if (receipt.result !== 'signed') throw new Error(`without a fault it was not signed\n${stdout}`);
  return faults.calls;
}

/** Runs cases as they are asked for. */
export async function* runCases(
  setup: FaultSetup,
  cases: readonly FaultCase[],
  deadlines: Deadlines,
): AsyncGenerator<FaultResult> {
  let number = 0;
  for (const one of cases) {
    const title = `${one.call}: ${one.kind.name}`;
    const begin = performance.now();
    const run = (deadline: number) => runCase(setup, one, numbered((number += 1)), deadline);
    let outcome = await run(one.kind.isSlow === true ? deadlines.late : deadlines.other);
    // On a busy machine a short time may be over before the call.
    if (!outcome.isStruck) outcome = await run(deadlines.other);
    const { came, isStruck, complaints } = outcome;
    yield {
      title,
      came,
      complaints: isStruck ? complaints : [...complaints, 'the call did not come'],
      milliseconds: Math.round(performance.now() - begin),
    };
  }
}

/** A tag of its own for each number. */
function numbered(number: number): SignedTag {
  return { tag: `t${number}`, sha256: number.toString(16).padStart(64, 'a'), length: number + 2 };
}
