/**
 * Programs that this process starts: with a clean environment, and never outliving it.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { atExit } from './cleanup.ts';
import { findProgram, searchPath } from './installed.ts';

/** What of a program's output is kept by default, in characters: enough for error messages. */
const OUTPUT_LIMIT = 64 * 1024;
/** How often readiness is asked for, in milliseconds. */
const POLL_INTERVAL = 5;
/** How long a program may take to end after SIGTERM, in milliseconds. */
const STOP_LIMIT = 2000;

/** A program to spawn. */
export interface ProgramOptions {
  /** Name to look up on the search path, or an absolute path. */
  readonly program: string;
  readonly args?: readonly string[];
  /** An existing directory: current directory and HOME of the program. */
  readonly directory: string;
  /** The program's environment besides PATH and HOME; nothing else of ours reaches it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whom it runs as; like ourselves by default. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** A long-running program to start. */
export interface ChildOptions extends ProgramOptions {
  /**
   * When the program is ready: once a TCP port on 127.0.0.1 accepts (a number), or once a function
   * says so, which is asked every few milliseconds and gets the output so far.
   */
  readonly ready: number | ((output: string) => boolean | Promise<boolean>);
  /** How long it may take to be ready, in milliseconds; 10,000 by default. */
  readonly timeLimit?: number;
  /** How much of its output is kept, in characters; 64 Ki by default. */
  readonly outputLimit?: number;
}

/** A running program. */
export interface Child {
  readonly pid: number;
  /** Stdout and stderr, as they came; no more than their end when there is much of it. */
  output(): string;
  /** SIGTERM, then SIGKILL after two seconds; resolves when the program is gone. May be repeated. */
  stop(): Promise<void>;
  /** Sends a signal and does not wait; nothing happens when the program is gone. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the program is gone. */
  readonly gone: Promise<void>;
}

/**
 * Starts a long-running program and waits until it is ready.
 *
 * @throws Error with the program's output when it is missing, ends before it is ready, or is not
 *   ready in time; then nothing is left running
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { program, ready, timeLimit = 10_000, outputLimit = OUTPUT_LIMIT } = options;
  const spawned = spawnBound(options);
  let text = '';
  for (const stream of [spawned.stdout, spawned.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-outputLimit);
    });
  }
  const exited = new Promise<void>((resolve) => {
    spawned.once('exit', () => resolve());
    spawned.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    spawned.kill('SIGTERM');
    const timer = setTimeout(() => spawned.kill('SIGKILL'), STOP_LIMIT);
    await exited;
    clearTimeout(timer);
  };
  try {
    await untilReady(spawned, ready, () => text, timeLimit);
  } catch (error) {
    await stop();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${program} ${reason}\n${text}`.trimEnd(), { cause: error });
  }
  return {
    pid: spawned.pid ?? 0,
    output: () => text,
    stop,
    kill: (signal) => void spawned.kill(signal),
    gone: exited,
  };
}

/**
 * Spawns a program that ends when this process does, even by SIGKILL where setpriv of util-linux is
 * on the search path. Its stdin is empty.
 *
 * @throws Error when the program is not installed
 */
export function spawnBound(options: ProgramOptions): ChildProcessByStdio<null, Readable, Readable> {
  const file = options.program.startsWith('/') ? options.program : findProgram(options.program);
  if (file === undefined) throw new Error(`${options.program} is not installed`);
  // setpriv becomes the program: same process id, no shell in between.
  const setpriv = findProgram('setpriv');
  const [command = file, ...args] = [
    ...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']),
    file,
    ...(options.args ?? []),
  ];
  const child = spawn(command, args, {
    cwd: options.directory,
    env: { PATH: searchPath(), HOME: options.directory, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options.user,
  });
  const forget = atExit(() => child.kill('SIGKILL'));
  child.once('exit', forget);
  child.once('error', forget);
  return child;
}

/** Resolves once the program is ready; rejects with what it did instead. */
async function untilReady(
  spawned: ChildProcessByStdio<null, Readable, Readable>,
  ready: ChildOptions['ready'],
  output: () => string,
  timeLimit: number,
): Promise<void> {
  const isReady = typeof ready === 'number' ? () => accepts(ready) : () => ready(output());
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  const failure = new Promise<never>((_, reject) => {
    spawned.once('error', (error) => reject(new Error(`did not start: ${error.message}`)));
    // 'close' comes after the last output, which the message is to show.
    spawned.once('close', (code, signal) =>
      reject(new Error(`ended with ${signal ?? `exit code ${code}`} before it was ready:`)),
    );
    timer = setTimeout(() => reject(new Error(`was not ready after ${timeLimit} ms:`)), timeLimit);
  });
  const poll = async (): Promise<void> => {
    while (!over && !(await isReady())) await pause(POLL_INTERVAL);
  };
  try {
    await Promise.race([failure, poll()]);
  } finally {
    over = true;
    clearTimeout(timer);
    failure.catch(() => undefined); // A later end is no longer a failure to start.
  }
}

/** Whether a TCP port on 127.0.0.1 accepts connections now. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
