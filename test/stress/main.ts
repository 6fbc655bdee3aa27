/**
 * Script: a hundred signers at once, signers of the same tag whose publishes lose their answers, every
 * fault at every call, and floods of the webhook. Exit code 1 where anything is not as it must be.
 * With a name of PARTS as an argument, that part alone; after `v2-faults`, names of setups; after `flood`,
 * names of floods, and `--seconds N` for each (60).
 */
import { startBed } from '../bed/bed.ts';
import { goTools } from '../bed/go-tools.ts';
import { faultProduct } from './fault-product.ts';
import { startV1Setup, V1_SETUPS, type FaultSetup } from './fault-setup.ts';
import { cleanCalls, runCases, type FaultResult } from './fault-run.ts';
import { floodLine, floods, FLOODS } from './flood.ts';
import { LOCAL_KINDS, localSetup } from './local-fault.ts';
import { runLostAnswers } from './lost-answers.ts';
import { race, type RaceOptions } from './race.ts';
import { startV2Setup, V2_SETUP_NAMES } from './v2-fault-setup.ts';
import { RACE_REGISTRIES, raceProblems, v2Race } from './v2-race.ts';

const RACES: readonly RaceOptions[] = [
  { signers: 100, storage: 'memory' },
  { signers: 100, storage: 'postgres' },
  { signers: 100, clis: 3, storage: 'memory' },
  { signers: 100, clis: 3, storage: 'postgres' },
];
const V2_RACES = [
  { signers: 100, repeats: 50 },
  { signers: 20, others: 3 },
];
/** How many times signers of the same tag meet. */
const INTERLEAVINGS = 1000;
/** Signers in cases of faults mostly wait: two repositories of each kind keep two processors busy. */
const LANES = 2;
/** Of each flood. */
const FLOOD_SECONDS = 60;
const DEADLINES = { late: 6, other: 30 };

/** @returns how many races went wrong */
async function runRaces(): Promise<number> {
  let failures = 0;
  for (const options of RACES) {
    const { runs, wanted, listed, milliseconds, memory } = await race(options);
    const lost = wanted.filter((tag) => !listed.includes(tag));
    const failed = runs.filter(({ code, receipt }) => code !== 0 || receipt.result !== 'signed');
    const attempts = runs.map(({ receipt }) => receipt.repositories[0]?.attempts ?? 0);
    const others = options.clis === undefined ? '' : ` and ${options.clis} notary CLIs`;
    console.log(
      `race: ${options.signers} signers${others}, ${options.storage}: ${runs.length - failed.length} signed, ` +
        `${listed.length} of ${wanted.length} tags listed, ${(milliseconds / 1000).toFixed(1)} s, ` +
        `at most ${Math.max(...attempts)} attempts, ${memory} MiB each`,
    );
    for (const { stdout } of failed) console.log(stdout);
    if (failed.length > 0 || lost.length > 0 || listed.length !== wanted.length) {
      console.log(`  not as it must be: lost ${lost.join(', ') || 'none'}`);
      failures += 1;
    }
  }
  return failures;
}

/** @returns how many races of Notary Project signatures went wrong */
async function runV2Races(): Promise<number> {
  const tools = await goTools();
  if ('missing' in tools) {
    console.log(`v2-race: skipped, ${tools.missing}`);
    return 0;
  }
  let failures = 0;
  for (const registry of RACE_REGISTRIES) {
    for (const options of V2_RACES) {
      const { others = 0, signers } = options;
      const outcome = await v2Race({ tools, registry, ...options });
      const { listed, wanted, milliseconds, repeated } = outcome;
      const listedOf = (digests: readonly string[]) =>
        `${digests.filter((digest) => listed.includes(digest)).length} of ${digests.length}`;
      console.log(
        `v2-race: ${signers} signers at ${registry}, and ${others} of notation sign at the same moment: ` +
          `${listed.length} listed: ${listedOf(wanted.ours)} of the signers, ${listedOf(wanted.before)} from before; ` +
          `${repeated.length} repeated; ${(milliseconds / 1000).toFixed(1)} s`,
      );
      // notation writes over the list of others, after they have looked at it.
      const problems =
        others > 0 && registry === 'docker-registry' ? [] : [...raceProblems(outcome)];
      const made = wanted.before.length + signers + others;
      if (listed.length > made || (problems.length === 0 && others === 0 && listed.length < made)) {
        problems.push(`${made} were made`);
      }
      for (const problem of problems) console.log(`  ${problem}`);
      failures += problems.length > 0 ? 1 : 0;
    }
  }
  return failures;
}

/** @returns how many faults ended badly */
async function runFaults(name: string, start: () => Promise<FaultSetup>): Promise<number> {
  const setups = await Promise.all(Array.from({ length: LANES }, start));
  const told: FaultResult[] = [];
  try {
    const [calls = []] = await Promise.all(setups.map(cleanCalls));
    const cases = faultProduct(calls);
    console.log(`${name}: ${cases.length} faults at ${calls.length} calls: ${calls.join(', ')}`);
    await Promise.all(
      setups.map(async (setup, lane) => {
        const share = cases.filter((_, index) => index % LANES === lane);
        for await (const one of runCases(setup, share, DEADLINES)) {
          told.push(one);
          if (one.complaints.length > 0) console.log(`NOT OK ${one.title}: ${one.came}`);
          for (const complaint of one.complaints) console.log(`  ${complaint}`);
        }
      }),
    );
  } finally {
    await Promise.all(setups.map((setup) => setup.stop()));
  }
  const counts = new Map<string, number>();
  for (const { came } of told) counts.set(came, (counts.get(came) ?? 0) + 1);
  const sums = [...counts].sort(([, a], [, b]) => b - a).map(([came, count]) => `${count} ${came}`);
  const bad = told.filter(({ complaints }) => complaints.length > 0).length;
  console.log(`${name}: ${told.length} faults, ${bad} ended badly: ${sums.join(', ')}`);
  return bad;
}

/** @returns how many faults ended badly */
async function runLocalFaults(): Promise<number> {
  const bed = await startBed();
  try {
    const setup = await localSetup(bed);
    const { steps } = await setup.run('clean');
    let bad = 0;
    for (const [index, step] of steps.entries()) {
      for (const kind of LOCAL_KINDS) {
        const { came, complaints } = await setup.run(`t${index}-${kind}`, { step, kind });
        if (complaints.length > 0) console.log(`NOT OK ${step}: ${kind}: ${came}`);
        for (const complaint of complaints) console.log(`  ${complaint}`);
        bad += complaints.length > 0 ? 1 : 0;
      }
    }
    console.log(`files: ${LOCAL_KINDS.length} faults at ${steps.length} steps, ${bad} ended badly`);
    return bad;
  } finally {
    await bed.stop();
  }
}

/** @returns how many floods went wrong */
async function runFloods(words: readonly string[]): Promise<number> {
  const at = words.indexOf('--seconds');
  const seconds = at < 0 ? FLOOD_SECONDS : Number(words[at + 1]);
  const names = at < 0 ? words : words.toSpliced(at, 2);
  const unknown = names.find((name) => !FLOODS.includes(name));
  if (unknown !== undefined || !(seconds > 0)) {
    console.log(`floods are ${FLOODS.join(', ')}, and --seconds a number`);
    return 1;
  }
  let failures = 0;
  console.log(floodLine());
  for await (const report of floods({ names, seconds })) {
    console.log(floodLine(report));
    failures += report.complaints.length > 0 ? 1 : 0;
  }
  return failures;
}

/** Each resolves to how much went wrong. */
const PARTS: Readonly<Record<string, (words: readonly string[]) => Promise<number>>> = {
  race: runRaces,
  'v2-race': runV2Races,
  'lost-answers': () => {
    const seed = Number(process.env['KPACK_NOTARY_SEED'] ?? Date.now() % 1_000_000);
    return runLostAnswers(INTERLEAVINGS, seed);
  },
  faults: async () => {
    const local = await runLocalFaults();
    const failures = await Promise.all(
      V1_SETUPS.map((name) => runFaults(name, () => startV1Setup(name))),
    );
    return failures.reduce((sum, each) => sum + each, local);
  },
  'v2-faults': async (words) => {
    const tools = await goTools();
    if ('missing' in tools) {
      console.log(`v2-faults: skipped, ${tools.missing}`);
      return 0;
    }
    const unknown = words.find((word) => !V2_SETUP_NAMES.some((name) => name === word));
    if (unknown !== undefined) {
      console.log(`setups are ${V2_SETUP_NAMES.join(', ')}`);
      return 1;
    }
    let failures = 0;
    for (const name of V2_SETUP_NAMES) {
      if (words.length > 0 && !words.includes(name)) continue;
      failures += await runFaults(name, () => startV2Setup(name, tools));
    }
    return failures;
  },
  flood: runFloods,
};

const [part, ...words] = process.argv.slice(2);
const begin = performance.now();
let failures = 0;
for (const [name, run] of Object.entries(PARTS)) {
  if (part === undefined || part === name) failures += await run(words);
}
console.log(`${failures} failures, ${Math.round((performance.now() - begin) / 1000)} s`);
process.exitCode = failures > 0 ? 1 : 0;
