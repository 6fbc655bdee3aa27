import { parseArgs } from 'node:util';
import { ENVIRONMENT_PREFIX } from './names.ts';
import { nearest } from './nearest.ts';
import { shownName } from './shown-value.ts';

export interface Flag {
  /** `one`: at most once; `many`: repeatable; `switch`: no value, or `true` or `false`. */
  readonly takes: 'one' | 'many' | 'switch';
  /** The placeholder for the value in `--help` and the README: `FILE`. */
  readonly value?: string;
  /** The purpose of the flag, with its default. */
  readonly text: string;
  /** Its one-letter form, after a single dash. */
  readonly short?: string;
}

/** The flags of a program, by name. The parser, `--help` and the README use this one table. */
export type FlagTable = Readonly<Record<string, Flag>>;

export const one = (value: string, text: string): Flag => ({ takes: 'one', value, text });
export const many = (value: string, text: string): Flag => ({ takes: 'many', value, text });
export const toggle = (text: string): Flag => ({ takes: 'switch', text });

export interface FlagValues<Flags extends FlagTable> {
  /** The values of each flag, in order; empty if the flag was not given. */
  readonly values: { readonly [Name in keyof Flags]: readonly string[] };
  /** The accepted positional arguments. */
  readonly words: readonly string[];
  /** What is wrong with the command line, one sentence for each problem. */
  readonly problems: readonly string[];
}

/** The positional arguments that a program accepts. */
export interface Words {
  /** Their form, for error messages: `image/NAME`. */
  readonly expected: string;
  accepts(text: string): boolean;
}

/** The environment form of a flag: `--key-dir` is `KPACK_NOTARY_KEY_DIR`. */
export function environmentName(flag: string): string {
  return ENVIRONMENT_PREFIX + flag.toUpperCase().replaceAll('-', '_');
}

/**
 * Reads flags from the command line. A flag that is missing there is read from the environment, where
 * newlines separate the values of a repeatable flag. Reports all problems at once. The caller checks
 * the values. Unexpected arguments are reported by position, because they may be passwords.
 */
export function readFlags<Flags extends FlagTable>(
  flags: Flags,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  allowed?: Words,
): FlagValues<Flags> {
  const names = Object.keys(flags);
  const problems = new Set<string>();
  const words: string[] = [];
  const given = new Map<string, string[]>(names.map((name) => [name, []]));
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { takes, short }]) => [
        name,
        {
          type: takes === 'switch' ? 'boolean' : 'string',
          multiple: true,
          ...(short && { short }),
        },
      ]),
    ),
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    const argument = `argument ${token.index + 1}`;
    if (token.kind === 'positional') {
      if (allowed?.accepts(token.value)) words.push(token.value);
      else
        problems.add(
          `${argument} ${allowed ? `is not ${allowed.expected}` : 'belongs to no flag'}`,
        );
    }
    if (token.kind !== 'option') continue;
    const { name, rawName, inlineValue } = token;
    const isShort = !rawName.startsWith('--');
    // Like kubectl, accept `-n=apps` for `-n apps`.
    const value = isShort && inlineValue ? token.value.replace(/^=/, '') : token.value;
    const values = given.get(name);
    const takes = flags[name]?.takes;
    if (!values) {
      // parseArgs reads each letter after a single dash as a flag.
      problems.add(isShort ? `${argument} is an unknown flag` : unknownFlag(rawName, names));
    } else if (takes === 'switch') values.push(value ?? 'true');
    else if (!value || (!inlineValue && value.startsWith('-')))
      problems.add(`${rawName} needs a value`);
    else values.push(value);
  }
  for (const [name, values] of given) {
    const takes = flags[name]?.takes;
    if (takes !== 'many' && values.length > 1) problems.add(`--${name} is given twice`);
    const fromEnvironment = environment[environmentName(name)];
    if (values.length === 0 && fromEnvironment) {
      const lines = fromEnvironment.split('\n').filter((line) => line !== '');
      values.push(...(takes === 'many' ? lines : [fromEnvironment]));
    }
    if (takes === 'switch' && values.some((value) => !['true', 'false'].includes(value))) {
      problems.add(`--${name} is true or false`);
    }
  }
  return {
    values: Object.fromEntries(given) as unknown as FlagValues<Flags>['values'],
    words,
    problems: [...problems],
  };
}

function unknownFlag(rawName: string, names: readonly string[]): string {
  const meant = nearest(rawName.replace(/^-+/, ''), names);
  return `unknown flag ${shownName(rawName)}${meant ? `; did you mean --${meant}?` : ''}`;
}
