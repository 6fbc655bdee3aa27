/** Floods of the webhook, one after another, while honest build pods are posted. */
import { readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startChild } from '../bed/child.ts';
import { floodKinds, type FloodKind } from './flood-kind.ts';
import type { SentFlood } from './flood-main.ts';
import { startFloodSetup, type FloodSetup } from './flood-setup.ts';

/** Which floods, and for how long. */
export interface FloodOptions {
  /** All where it is empty. */
  readonly names: readonly string[];
  /** Seconds of each. */
  readonly seconds: number;
  /** The webhook; what was built last by default. */
  readonly program?: string;
}

/** What came of one flood. */
export interface FloodReport {
  readonly name: string;
  /** The most resident memory of the webhook, in MiB. */
  readonly memory: number;
  /** Honest pods that were posted. */
  readonly posted: number;
  /** Those that had to be posted again, as kpack does. */
  readonly again: number;
  /** Those that were not signed in the end. */
  readonly lost: number;
  /** Milliseconds from the first post to the admission. */
  readonly p50: number;
  readonly p99: number;
  readonly mostP99: number;
  /** What is not as it must be. */
  readonly complaints: readonly string[];
}

const MAIN = fileURLToPath(new URL('./flood-main.js', import.meta.url));
const PER_SECOND = 5;
/** MiB. */
const MOST_MEMORY = 400;
/** kpack posts again after a pause that doubles from 5 ms. */
const FIRST_PAUSE = 5;
/** A pod that is not admitted by then is lost, in milliseconds. */
const PATIENCE = 15_000;

/** Names of all floods. */
export const FLOODS: readonly string[] = Object.keys(
  floodKinds({ spec: { containers: [] } } as never),
);

/** Floods one webhook with one kind after another. */
export async function* floods({
  names,
  seconds,
  program,
}: FloodOptions): AsyncGenerator<FloodReport> {
  const setup = await startFloodSetup(program);
  try {
    // What the first reviews load and compile is no matter of a flood.
    for (let i = 0; i < 20; i++) await setup.post();
    for (const [name, kind] of Object.entries(floodKinds(setup.hostile))) {
      if (names.length === 0 || names.includes(name))
        yield await floodOnce(setup, name, kind, seconds);
    }
  } finally {
    await setup.stop();
  }
}

async function floodOnce(
  setup: FloodSetup,
  name: string,
  { flood, mostP99 }: FloodKind,
  seconds: number,
): Promise<FloodReport> {
  const { directory, authority } = setup.apiserver;
  const file = join(directory, `flood-${name}.json`);
  const sent: SentFlood = flood.kind === 'requests' ? { ...flood, body: flood.body() } : flood;
  await writeFile(file, JSON.stringify(sent));
  const flooder = await startChild({
    program: 'node',
    args: [MAIN, setup.url, authority.certificateFile, file],
    directory,
    ready: (output) => output.includes('flooding'),
  });
  const { pid } = setup.webhook.child;
  forgetPeak(pid);
  const pods: Promise<PostedPod>[] = [];
  try {
    const started = performance.now();
    while (performance.now() - started < seconds * 1_000) {
      pods.push(postAsKpack(setup));
      await pause(started + (pods.length * 1_000) / PER_SECOND - performance.now());
    }
    const ended = await Promise.all(pods);
    const memory = peakMemory(pid);
    return reportOf(name, memory, ended, mostP99);
  } finally {
    await flooder.stop();
  }
}

/** An honest pod. */
interface PostedPod {
  readonly isSigned: boolean;
  readonly posts: number;
  /** From the first post to the last answer. */
  readonly milliseconds: number;
}

/** Posts a pod until it is admitted, with pauses as kpack makes them. */
async function postAsKpack(setup: FloodSetup): Promise<PostedPod> {
  const started = performance.now();
  for (let posts = 1, wait = FIRST_PAUSE; ; posts++, wait *= 2) {
    const answer = await setup.post().catch(() => undefined);
    const milliseconds = performance.now() - started;
    if (answer?.ok) {
      const { initContainers = [] } = answer.object.spec;
      const isSigned = initContainers.some((container) => container.name === 'notary-sign');
      return { isSigned, posts, milliseconds };
    }
    if (milliseconds > PATIENCE) return { isSigned: false, posts, milliseconds };
    await pause(wait);
  }
}

function reportOf(
  name: string,
  memory: number,
  pods: readonly PostedPod[],
  mostP99: number,
): FloodReport {
  const times = pods.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const quantile = (share: number) => times[Math.ceil(times.length * share) - 1] ?? NaN;
  const p99 = quantile(0.99);
  const lost = pods.filter(({ isSigned }) => !isSigned).length;
  return {
    name,
    memory,
    posted: pods.length,
    again: pods.filter(({ posts }) => posts > 1).length,
    lost,
    p50: quantile(0.5),
    p99,
    mostP99,
    complaints: [
      ...(memory <= MOST_MEMORY ? [] : [`more than ${MOST_MEMORY} MiB`]),
      ...(lost === 0 ? [] : [`${lost} pods lost`]),
      ...(p99 <= mostP99 ? [] : [`p99 over ${mostP99} ms`]),
    ],
  };
}

/** Has the kernel forget how much memory a process has had at most. */
function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function peakMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

const COLUMNS = ['flood', 'MiB', 'pods', 'again', 'lost', 'p50 ms', 'p99 ms', 'at most'] as const;

/** A line of the table; without a report, its head. */
export function floodLine(report?: FloodReport): string {
  const cells: readonly (string | number)[] = report
    ? [
        report.name,
        report.memory.toFixed(0),
        report.posted,
        report.again,
        report.lost,
        report.p50.toFixed(0),
        report.p99.toFixed(0),
        report.mostP99,
      ]
    : COLUMNS;
  const [name = '', ...figures] = cells.map(String);
  const line = [name.padEnd(12), ...figures.map((figure) => figure.padStart(8))].join(' ');
  const complaints = report?.complaints ?? [];
  return complaints.length > 0 ? `${line}  NOT OK: ${complaints.join(', ')}` : line;
}
