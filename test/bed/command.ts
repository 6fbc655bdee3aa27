/**
 * Short-lived programs: run to their end, with a clean environment and a time limit.
 */
import { spawnBound, type ProgramOptions } from './child.ts';

/** A program to run to its end. */
export interface CommandOptions extends ProgramOptions {
  /** After how many milliseconds it is killed; 30,000 by default. */
  readonly timeLimit?: number;
  /** Hears what it writes to stdout, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Kills it (SIGKILL) when aborted. */
  readonly killer?: AbortSignal;
}

/** How a program ended, and all that it wrote. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program, whatever its exit code.
 *
 * @throws Error when it is not installed, exceeds its time limit or is killed by a signal
 */
export async function runCommand(options: CommandOptions): Promise<CommandResult> {
  const child = spawnBound(options);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  }
  if (options.onOutput) child.stdout.on('data', options.onOutput);
  const kill = (): unknown => child.kill('SIGKILL');
  const timer = setTimeout(kill, options.timeLimit ?? 30_000);
  options.killer?.addEventListener('abort', kill);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...end) => resolve(end));
    },
  ).finally(() => {
    clearTimeout(timer);
    options.killer?.removeEventListener('abort', kill);
  });
  if (code === null) {
    throw new Error(`${describe(options)} was ended by ${signal ?? 'a signal'}\n${all(output)}`);
  }
  return { code, ...output };
}

/**
 * Runs a program that has to succeed.
 *
 * @returns its stdout
 * @throws Error with the program's output when its exit code is not 0, or as {@link runCommand}
 */
export async function succeed(options: CommandOptions): Promise<string> {
  const result = await runCommand(options);
  if (result.code === 0) return result.stdout;
  throw new Error(`${describe(options)} ended with exit code ${result.code}\n${all(result)}`);
}

function describe(options: CommandOptions): string {
  return [options.program, ...(options.args ?? [])].join(' ');
}

function all(output: { readonly stdout: string; readonly stderr: string }): string {
  return `${output.stdout}${output.stderr}`.trimEnd();
}
