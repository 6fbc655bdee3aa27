/** `webhook explain` as people run it. */
import { once } from 'node:events';
import { spawnBound } from '../bed/child.ts';
import { PROGRAM } from './program.ts';

/** What came of a run. */
export interface ExplainRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param env beside PATH and HOME */
export async function runExplain(
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ExplainRun> {
  const child = spawnBound({
    program: 'node',
    args: [PROGRAM, 'explain', ...args],
    directory,
    env,
  });
  const texts = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => (texts[stream] += chunk));
  }
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, ...texts };
}
