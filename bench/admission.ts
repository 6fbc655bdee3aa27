/** How many admissions the webhook answers, how fast, and what it takes for each. */
import type { Bed } from '../test/bed/bed.ts';
import { admissionReview } from '../test/bed/webhook.ts';
import { buildFixture } from '../test/support/build-fixture.ts';
import { startAdmissionServers, type AdmissionServers } from './admission-servers.ts';
import { interleave } from './interleaving.ts';
import { openLoad, type Load, type Run } from './load.ts';
import { processorTime, residentMemory } from './process-figures.ts';
import { quantile } from './statistics.ts';
import type { Measurement, Subject } from './table.ts';

/** A build pod of kpack with Secrets for registry, git and Notary server. */
export const FIXTURE = 'v0.17.2/02b-notary-registry-secrets';
const CONNECTIONS = [1, 16, 200] as const;
const CROWD = 200;
const WHAT = {
  webhook: 'dist/webhook.cjs, reads a Kubernetes API over TLS',
  decision: 'the same server, its cluster in memory',
  echo: 'bare node:https: parses the review, sends it back, allowed',
  allow: 'the same, and sends no more than that it is allowed',
};
/** What is aimed at: of the rate of the echo server; and milliseconds above its p99. */
const LEAST_SHARE = 0.7;
const MOST_ABOVE_ECHO = 10;
const MOST_GROWTH = 1.1;

type ServerName = keyof typeof WHAT;
const NAMES = Object.keys(WHAT) as ServerName[];

/** What one turn of a server gave. */
interface Turn {
  /** Answers a second. */
  readonly rate: number;
  /** Microseconds of processor time an answer, of the server's own process. */
  readonly cost: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** How long all this goes on. */
export interface AdmissionOptions {
  readonly rounds: number;
  /** Seconds of load on a server in each round. */
  readonly seconds: number;
  /** Admissions before memory is looked at, and those after which it is looked at again. */
  readonly memory: readonly [before: number, after: number];
}

/** Admissions of a build pod, against servers that only parse, and echo or allow. */
export async function measureAdmission(
  bed: Bed,
  { rounds, seconds, memory }: AdmissionOptions,
): Promise<Measurement[]> {
  const fixture = buildFixture(FIXTURE);
  const body = JSON.stringify(admissionReview({ object: fixture.pod }));
  const servers = await startAdmissionServers(bed, fixture);
  const open = (name: ServerName, connections: number) =>
    openLoad({ url: servers[name].url, ca: bed.authority.certificatePem, body, connections });
  const measurements: Measurement[] = [];
  try {
    for (const connections of CONNECTIONS) {
      const turns = await takeTurns(servers, connections, rounds, open, (load) =>
        load.saturate(seconds),
      );
      measurements.push(...saturated(turns, connections));
      if (connections !== CROWD) continue;
      const rate = Math.min(...turns.webhook.map((turn) => turn.rate)) / 2;
      const paced = await takeTurns(servers, CROWD, Math.ceil(rounds / 3), open, (load) =>
        load.pace(rate, seconds * 3),
      );
      measurements.push(atHalfRate(paced, rate));
    }
    measurements.push(await countReads(servers, open));
    measurements.push(await weigh(servers, memory, open));
  } finally {
    await servers.stop();
  }
  return measurements;
}

type Open = (name: ServerName, connections: number) => Promise<Load>;

async function takeTurns(
  servers: AdmissionServers,
  connections: number,
  rounds: number,
  open: Open,
  work: (load: Load) => Promise<Run>,
): Promise<Readonly<Record<ServerName, readonly Turn[]>>> {
  const loads = await Promise.all(
    NAMES.map(async (name) => [name, await open(name, connections)] as const),
  );
  const probes = loads.map(([name, load]) => {
    const { pid } = servers[name];
    const probe = async (): Promise<Turn> => {
      const before = processorTime(pid);
      const { seconds, latencies } = await work(load);
      const spent = processorTime(pid) - before;
      return {
        rate: latencies.length / seconds,
        cost: (spent / latencies.length) * 1e6,
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
      };
    };
    return [name, probe] as const;
  });
  try {
    return await interleave(
      rounds,
      Object.fromEntries(probes) as Record<ServerName, () => Promise<Turn>>,
    );
  } finally {
    for (const [, load] of loads) load.close();
  }
}

/** What the goal is about. */
const AGAINST_ECHO = [
  ['webhook', 'echo'],
  ['decision', 'echo'],
] as const;
const RATIOS = [...AGAINST_ECHO, ['webhook', 'allow'], ['decision', 'allow']] as const;

function saturated(
  turns: Readonly<Record<ServerName, readonly Turn[]>>,
  connections: number,
): Measurement[] {
  const over = connections === 1 ? '1 connection' : `${connections} connections`;
  const limits = Object.fromEntries(
    AGAINST_ECHO.map(([ours, baseline]) => [`${ours} / ${baseline}`, LEAST_SHARE]),
  );
  const lower = (title: string, unit: string, figure: keyof Turn): Measurement => ({
    title,
    unit,
    better: 'lower',
    subjects: subjectsOf(turns, figure),
    ratios: RATIOS,
  });
  return [
    {
      title: `Admissions of a build pod over ${over}`,
      unit: 'a second',
      better: 'higher',
      subjects: subjectsOf(turns, 'rate'),
      ratios: RATIOS,
      limits,
    },
    lower(`Processor time of these servers over ${over}`, 'µs an admission', 'cost'),
    lower(`p50 over ${over}, saturated`, 'ms', 'p50'),
    lower(`p99 over ${over}, saturated`, 'ms', 'p99'),
  ];
}

function atHalfRate(
  turns: Readonly<Record<ServerName, readonly Turn[]>>,
  rate: number,
): Measurement {
  const echo = turns.echo.map(({ p99 }) => p99);
  const above = (name: ServerName) => turns[name].map(({ p99 }, round) => p99 - (echo[round] ?? 0));
  return {
    title: `p99 over ${CROWD} connections at ${rate.toFixed(0)} a second, half of what the webhook can`,
    unit: 'ms',
    better: 'lower',
    subjects: [
      ...subjectsOf(turns, 'p99'),
      { name: 'webhook - echo', what: 'round by round', values: above('webhook') },
      { name: 'decision - echo', what: 'round by round', values: above('decision') },
    ],
    ratios: [],
    limits: { 'webhook - echo': MOST_ABOVE_ECHO, 'decision - echo': MOST_ABOVE_ECHO },
  };
}

async function countReads(servers: AdmissionServers, open: Open): Promise<Measurement> {
  const load = await open('webhook', 16);
  const admissions = 100;
  const before = await servers.reads();
  await load.repeat(admissions);
  load.close();
  const values = [((await servers.reads()) - before) / admissions];
  return {
    title: 'Objects read from the Kubernetes API, in two rounds',
    unit: 'reads an admission',
    better: 'lower',
    subjects: [{ name: 'webhook', what: 'a pod whose account names seven Secrets', values }],
    ratios: [],
  };
}

/** Resident memory of the webhook after few admissions, and after very many. */
async function weigh(
  { webhook }: AdmissionServers,
  [before, after]: AdmissionOptions['memory'],
  open: Open,
): Promise<Measurement> {
  const load = await open('webhook', 16);
  await load.repeat(before);
  const first = residentMemory(webhook.pid);
  await load.repeat(after);
  const last = residentMemory(webhook.pid);
  load.close();
  const [early, late] = [`after ${before} more`, `after ${after} more`];
  return {
    title: 'Resident memory of the webhook',
    unit: 'MiB',
    better: 'lower',
    subjects: [
      { name: early, what: WHAT.webhook, values: [first] },
      { name: late, what: 'the same process', values: [last] },
    ],
    ratios: [[late, early]],
    limits: { [`${late} / ${early}`]: MOST_GROWTH },
  };
}

function subjectsOf(
  turns: Readonly<Record<ServerName, readonly Turn[]>>,
  figure: keyof Turn,
): Subject[] {
  return NAMES.map((name) => ({
    name,
    what: WHAT[name],
    values: turns[name].map((turn) => turn[figure]),
  }));
}
