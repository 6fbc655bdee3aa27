/** What the kernel knows about a running process. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { spawnBound, type ProgramOptions } from '../test/bed/child.ts';

/** Linux counts processor time for its users in hundredths of a second, on every machine. */
const TICKS_A_SECOND = 100;
const POLL_INTERVAL_MS = 1;

/** Peak resident memory of a process, in MiB; undefined once it has ended. */
export function peakMemory(pid: number): number | undefined {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readProcess(pid, 'status'))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) / 1024;
}

/** Processor time of a process so far, all its threads, in seconds. */
export function processorTime(pid: number): number {
  // The fields after the name, which is in parentheses and may hold anything.
  const fields = readProcess(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/**
 * Runs a program to its end and follows its memory; the kernel keeps the peak, so that only what a
 * program takes in its very last millisecond can be missed.
 *
 * @returns peak resident memory in MiB
 * @throws Error with the program's output when its exit code is not 0
 */
export async function peakMemoryOf(program: ProgramOptions): Promise<number> {
  const child = spawnBound(program);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peak = peakMemory(child.pid ?? 0) ?? peak;
    await pause(POLL_INTERVAL_MS);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`${program.program} ended with exit code ${code}\n${output}`);
  return peak;
}

function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // It has ended.
  }
}
