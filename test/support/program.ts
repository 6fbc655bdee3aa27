/** The bundled program as it runs. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import { spawnBound } from '../bed/child.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { SETTINGS } from './asking.ts';

export const PROGRAM = join(projectDirectory(), 'dist/webhook.cjs');
export const IMAGE_FLAG = `--signer-image=${SETTINGS.placement.image}`;

/** A run of the program, from its first word to its end. */
export interface Run {
  /** Stdout and stderr, as they came. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Exit code and signal. */
  readonly ended: Promise<unknown[]>;
}

/** Runs the program; it is killed when the test has ended. */
export function run(
  t: Test,
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Run {
  const child = spawnBound({ program: 'node', args: [PROGRAM, ...args], directory, env });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  }
  t.teardown(() => child.kill('SIGKILL'));
  return {
    output: () => text,
    kill: (signal) => void child.kill(signal),
    ended: once(child, 'close'),
  };
}

/** Far more than anything that is waited for takes, and less than a test file may; milliseconds. */
const LONGEST_WAIT = 300_000;

/** Waits until something is so. @throws Error when it is not so after five minutes */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > LONGEST_WAIT) throw new Error(`never so: ${String(condition)}`);
    await pause(20);
  }
}
