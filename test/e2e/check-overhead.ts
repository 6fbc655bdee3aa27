/** How much longer a signed build takes than the same build unsigned. */
import { prepareBuild, runBuild, type BuildOptions } from './build.ts';
import type { Environment } from './environment.ts';
import { byAnnotations, signed } from './check-signing.ts';
import type { Report } from './report.ts';

const FIXTURE = 'v0.17.2/01b-plain-git-default-tagging';
const ROUNDS = 5;
/** The step of kpack's that does nothing here. */
const IDLE_STEP = 'restore';
/**
 * What signing may add to a build that has one more step, in seconds: the median of the rounds. The
 * step itself is counted apart: a kubelet looks once a second whether a step has ended, so that each
 * takes a second, whatever it does.
 */
const MOST_SECONDS = 0.5;

/**
 * Builds the same in turn: unsigned, unsigned with one more step that does nothing where ours would
 * be, and signed. Compares them.
 */
export async function checkOverhead(environment: Environment, report: Report): Promise<void> {
  report.section('The same build, unsigned and signed');
  await report.check('what signing adds', async () => {
    const rows: (readonly [unsigned: number, stepped: number, signed: number])[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      rows.push([
        await secondsOf(environment, { name: `unsigned-${round}`, change: byAnnotations }),
        await secondsOf(environment, { name: `one-more-step-${round}`, change: withIdleStep }),
        await secondsOf(environment, {
          name: `signed-${round}`,
          change: byAnnotations,
          isSigned: true,
        }),
      ]);
    }
    report.tell(line('build', 'unsigned', 'one more step', 'signed', 'more'));
    rows.forEach(([unsigned, stepped, signed], i) => {
      const seconds = [unsigned, stepped, signed, signed - unsigned];
      report.tell(line(String(i + 1), ...seconds.map(inSeconds)));
    });
    const all = median(rows.map(([unsigned, , signed]) => signed - unsigned));
    const ours = median(rows.map(([, stepped, signed]) => signed - stepped));
    const said =
      `${inSeconds(all)} more; ${inSeconds(ours)} more than with a step that does nothing, ` +
      `at most ${inSeconds(MOST_SECONDS)}; medians of ${ROUNDS}`;
    if (ours > MOST_SECONDS) throw new Error(said);
    return said;
  });
}

/** kpack's pod with a step that does nothing between export and completion. */
const withIdleStep: typeof byAnnotations = (fixture, environment) => {
  byAnnotations(fixture, environment);
  const steps = fixture.pod.spec.initContainers ?? [];
  const step = steps.find(({ name }) => name === IDLE_STEP);
  if (step === undefined) throw new Error(`${FIXTURE} has no step ${IDLE_STEP}`);
  steps.push(Object.assign(structuredClone(step), { name: 'idle' }));
};

async function secondsOf(
  environment: Environment,
  { isSigned = false, ...options }: Omit<BuildOptions, 'fixture'> & { isSigned?: boolean },
): Promise<number> {
  await environment.namespace(
    options.name,
    isSigned ? { 'notary.kpack.io/signing': 'enabled' } : {},
  );
  const ready = await prepareBuild(environment, { ...options, fixture: FIXTURE });
  const build = await runBuild(environment, ready, { isSigned });
  if (isSigned) await signed(environment, build);
  else if (build.phase !== 'Succeeded') throw new Error(`${options.name} ended ${build.phase}`);
  return build.milliseconds / 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function inSeconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function line(...cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(14)).join('');
}
