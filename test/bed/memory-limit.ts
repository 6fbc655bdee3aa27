/**
 * A memory limit as a container has it: a control group of our own, in which the kernel kills what
 * takes more. It takes root, and control groups that may be written.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { atExit } from './cleanup.ts';

/** A control group with a limit. */
export interface MemoryLimit {
  /** Words to put before a command line: what they start is in the group. */
  readonly prefix: readonly string[];
  /** How often the kernel has killed in it. */
  kills(): number;
  /** Removes the group, whose processes have ended. May be repeated. */
  remove(): Promise<void>;
}

const ROOT = '/sys/fs/cgroup';
/** A group is busy for a moment after its last process. */
const REMOVE_TRIES = 100;
const PAUSE_MS = 20;

interface Version {
  readonly directory: string;
  readonly limit: string;
  /** The limit of memory and swap together (version 1), or of swap alone (version 2). */
  readonly swap: string;
  readonly kills: string;
}

const VERSION_1: Version = {
  directory: join(ROOT, 'memory'),
  limit: 'memory.limit_in_bytes',
  swap: 'memory.memsw.limit_in_bytes',
  kills: 'memory.oom_control',
};
const VERSION_2: Version = {
  directory: ROOT,
  limit: 'memory.max',
  swap: 'memory.swap.max',
  kills: 'memory.events',
};

let groups = 0;

/** Why there are no memory limits here; undefined where there are. */
export function whyNoMemoryLimit(): string | undefined {
  if (process.getuid?.() !== 0) return 'control groups take root';
  try {
    const group = makeGroup(64 * 1024 * 1024);
    rmdirSync(group.directory);
    return undefined;
  } catch (error) {
    return `control groups cannot be made here: ${(error as Error).message}`;
  }
}

/** @param bytes that the processes of the group may have together */
export function limitMemory(bytes: number): MemoryLimit {
  const { directory, version } = makeGroup(bytes);
  const remove = async (): Promise<void> => {
    for (let tries = 0; existsSync(directory) && tries < REMOVE_TRIES; tries++) {
      try {
        rmdirSync(directory);
      } catch {
        await pause(PAUSE_MS);
      }
    }
    forget();
  };
  const forget = atExit(() => {
    try {
      rmdirSync(directory);
    } catch {
      // Something still runs in it.
    }
  });
  return {
    prefix: ['sh', '-c', `echo $$ >${directory}/cgroup.procs && exec "$@"`, 'sh'],
    kills: () =>
      Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(directory, version.kills), 'utf8'))?.[1]),
    remove,
  };
}

function makeGroup(bytes: number): { readonly directory: string; readonly version: Version } {
  const version = existsSync(join(ROOT, 'cgroup.controllers')) ? VERSION_2 : VERSION_1;
  const directory = join(version.directory, `kpack-notary-limit-${process.pid}-${(groups += 1)}`);
  mkdirSync(directory);
  try {
    writeFileSync(join(directory, version.limit), String(bytes));
    if (existsSync(join(directory, version.swap))) {
      writeFileSync(join(directory, version.swap), version === VERSION_1 ? String(bytes) : '0');
    }
  } catch (error) {
    rmdirSync(directory);
    throw error;
  }
  return { directory, version };
}
