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

/** Waits until something is so; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(20);
}
