import { performance } from 'node:perf_hooks';
import type { DiffLine } from './diff.ts';

/** Tells what happens, step by step: calm in a terminal, plain in a pipe. */
export interface StepPrinter {
  /** Runs a step and tells how long it took; what it returns is told below, a line each. */
  step<Value>(
    title: string,
    work: () => Promise<Value>,
    tell?: (value: Value) => string[],
  ): Promise<Value>;
  diff(lines: readonly DiffLine[]): void;
  say(line: string): void;
}

const RESET = '\u001b[0m';
const DIM = '\u001b[2m';
const BOLD = '\u001b[1m';
const GREEN = '\u001b[32m';
const RED = '\u001b[31m';
const TITLE_WIDTH = 70;

export function printSteps(output: NodeJS.WriteStream): StepPrinter {
  // Who reads along may stop; the printer goes on to its end, and cleans up.
  output.on('error', () => undefined);
  const isTerminal = output.isTTY;
  const paint = (color: string, text: string) => (isTerminal ? color + text + RESET : text);
  const write = (line: string) => void output.write(`${line}\n`);
  return {
    async step(title, work, tell) {
      const started = performance.now();
      const value = await work();
      const took = `${Math.round(performance.now() - started)} ms`;
      write(`${paint(BOLD, title.padEnd(TITLE_WIDTH))} ${paint(DIM, took.padStart(8))}`);
      for (const line of tell?.(value) ?? []) write(`    ${line}`);
      return value;
    },
    diff(lines) {
      for (const { sign, text } of lines) {
        const color = { '+': GREEN, '-': RED, ' ': DIM }[sign];
        write(`    ${paint(color, `${sign} ${text}`)}`);
      }
    },
    say: (line) => write(line),
  };
}
