/** Many cases in one setup, one after the other; the setup itself tells what its calls are. */
import { runCase, type FaultCase } from './fault-case.ts';
import { signFirst, type FaultSetup } from './fault-setup.ts';

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
export async function cleanCalls(setup: FaultSetup): Promise<readonly string[]> {
  const { faults, sign, newTag } = setup;
  const tag = await newTag();
  faults.arm();
  await signFirst(sign, tag);
  return faults.calls;
}

/** Runs cases as they are asked for. */
export async function* runCases(
  setup: FaultSetup,
  cases: readonly FaultCase[],
  deadlines: Deadlines,
): AsyncGenerator<FaultResult> {
  for (const one of cases) {
    const title = `${one.call}: ${one.kind.name}`;
    const begin = performance.now();
    const run = async (deadline: number) => runCase(setup, one, await setup.newTag(), deadline);
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
