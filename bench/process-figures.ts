/** What the kernel knows about a process. */
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed, type CommandOptions } from '../test/bed/command.ts';
import { bundle } from './programs.ts';

/** Linux counts processor time for its users in hundredths of a second, on every machine. */
const TICKS_A_SECOND = 100;

/** Processor time of a process so far, all its threads, in seconds. */
export function processorTime(pid: number): number {
  // The fields after the name, which is in parentheses and may hold anything.
  const fields = readProcess(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** Resident memory of a process now, in MiB. */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readProcess(pid, 'status'))?.[1]) / 1024;
}

/** Peak resident memory of a process so far, in MiB. */
export function peakMemory(pid: number): number {
  return peakOf(readProcess(pid, 'status'));
}

/** Runs a program of Node to its end; resolves with its peak resident memory in MiB. */
export type MemoryProbe = (program: CommandOptions) => Promise<number>;

/**
 * Makes the probe. The program reads its peak itself as it exits, since from outside the last that it
 * took may be missed, and what the kernel tells of ended children may be their parent's.
 *
 * @param directory where the probe keeps its files
 */
export async function createMemoryProbe(directory: string): Promise<MemoryProbe> {
  const exitReport = await bundle('exit-report', directory);
  const report = join(directory, 'exit-report.txt');
  return async (program) => {
    await succeed({
      ...program,
      args: ['--require', exitReport, ...(program.args ?? [])],
      env: { ...program.env, EXIT_REPORT: report },
    });
    const peak = peakOf(await readFile(report, 'utf8'));
    await rm(report);
    return peak;
  };
}

/**
 * Peak resident memory that the kernel tells of a process, in MiB.
 *
 * @param status text of its /proc/…/status
 * @throws Error when there is none
 */
export function peakOf(status: string): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error('the kernel told no peak');
  return Number(kibibytes) / 1024;
}

function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // It has ended.
  }
}
