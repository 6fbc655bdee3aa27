import { ENVIRONMENT_PREFIX } from './names.ts';
import type { Flag, FlagTable } from './flags.ts';

/** Whether the command line asks for help. The environment cannot: a run would end unnoticed. */
export function isHelpWanted(args: readonly string[]): boolean {
  return args.includes('--help') || args.includes('-h');
}

/** A flag as `--help` shows it: `--tag REF ...`. */
export function written(name: string, { takes, value }: Flag): string {
  return `--${name}${value === undefined ? '' : ` ${value}`}${takes === 'many' ? ' ...' : ''}`;
}

/**
 * The output of `--help`.
 *
 * @param usage how to call the program, and its purpose
 */
export function helpText(usage: string, flags: FlagTable): string {
  const all = Object.entries(flags).map(([name, flag]) => [written(name, flag), flag.text]);
  const rows: [string, string][] = [...(all as [string, string][]), ['--help', 'this text']];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    usage,
    '',
    ...rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`),
    '',
    `Where a flag is missing, ${ENVIRONMENT_PREFIX}<FLAG> counts, with a line for each value.`,
  ].join('\n');
}
