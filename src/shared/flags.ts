import { parseArgs } from 'node:util';
import { ENVIRONMENT_PREFIX } from './names.ts';
import { nearest } from './nearest.ts';
import { shownName } from './shown-value.ts';

/** A flag of a program. */
export interface Flag {
  /** `one` is given once, `many` collects; `switch` needs no value, and takes `true` or `false`. */
  readonly takes: 'one' | 'many' | 'switch';
  /** What stands for the value in `--help` and the README: `FILE`. */
  readonly value?: string;
  /** What it is for, with its default. */
  readonly text: string;
  /** A letter that stands for it after a single dash. */
  readonly short?: string;
}

/** The flags of a program, by name: the one source of what is read, of `--help` and the README. */
export type FlagTable = Readonly<Record<string, Flag>>;

export const one = (value: string, text: string): Flag => ({ takes: 'one', value, text });
export const many = (value: string, text: string): Flag => ({ takes: 'many', value, text });
export const toggle = (text: string): Flag => ({ takes: 'switch', text });

export interface FlagValues<Flags extends FlagTable> {
  /** Values by flag, in order; empty where the flag was not given. */
  readonly values: { readonly [Name in keyof Flags]: readonly string[] };
  /** What stands beside the flags, as far as it may. */
  readonly words: readonly string[];
  /** What is wrong with the command line, one sentence each. */
  readonly problems: readonly string[];
}

/** What may stand beside the flags of a program. */
export interface Words {
  /** For people: `image/NAME`. */
  readonly expected: string;
  accepts(text: string): boolean;
}

/** The environment form of a flag: `--key-dir` is `KPACK_NOTARY_KEY_DIR`. */
export function environmentName(flag: string): string {
  return ENVIRONMENT_PREFIX + flag.toUpperCase().replaceAll('-', '_');
}

/**
 * Reads flags from a command line and, where it lacks one, from the environment (repeatable ones
 * separated by newlines). All problems at once; values are for the caller to judge. What belongs to
 * no flag may be anything, a password too, and is not repeated.
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
    // As kubectl has it, `-n=apps` is `-n apps`.
    const value = isShort && inlineValue ? token.value.replace(/^=/, '') : token.value;
    const values = given.get(name);
    const takes = flags[name]?.takes;
    if (!values) {
      // Each letter after a single dash counts as a flag of its own.
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
