import { parseArgs } from 'node:util';
import { ENVIRONMENT_PREFIX } from './names.ts';
import { nearest } from './nearest.ts';

/**
 * The flags of a program: `one` takes the last value, `many` collects, `switch` needs no value, and
 * takes `true` or `false`.
 */
export type FlagKinds = Readonly<Record<string, 'one' | 'many' | 'switch'>>;

export interface FlagValues<Flags extends FlagKinds> {
  /** Values by flag, in order; empty where the flag was not given. */
  readonly values: { readonly [Name in keyof Flags]: readonly string[] };
  /** What is wrong with the command line, one sentence each. */
  readonly problems: readonly string[];
}

/** The environment form of a flag: `--key-dir` is `KPACK_NOTARY_KEY_DIR`. */
export function environmentName(flag: string): string {
  return ENVIRONMENT_PREFIX + flag.toUpperCase().replaceAll('-', '_');
}

/**
 * Reads flags from a command line and, where it lacks one, from the environment (repeatable ones
 * separated by newlines). All problems at once; values are for the caller to judge.
 */
export function readFlags<Flags extends FlagKinds>(
  flags: Flags,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): FlagValues<Flags> {
  const names = Object.keys(flags);
  const problems: string[] = [];
  const given = new Map<string, string[]>(names.map((name) => [name, []]));
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      names.map((name) => [
        name,
        { type: flags[name] === 'switch' ? 'boolean' : 'string', multiple: true },
      ]),
    ),
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === 'positional') problems.push(`unexpected argument ${token.value}`);
    if (token.kind !== 'option') continue;
    const values = given.get(token.name);
    if (!values) problems.push(unknownFlag(token.rawName, names));
    else if (flags[token.name] === 'switch') values.push(token.value ?? 'true');
    else if (!token.value || (!token.inlineValue && token.value.startsWith('-')))
      problems.push(`${token.rawName} needs a value`);
    else values.push(token.value);
  }
  for (const [name, values] of given) {
    if (flags[name] !== 'many' && values.length > 1) problems.push(`--${name} is given twice`);
    const fromEnvironment = environment[environmentName(name)];
    if (values.length === 0 && fromEnvironment) {
      const lines = fromEnvironment.split('\n').filter((line) => line !== '');
      values.push(...(flags[name] === 'many' ? lines : [fromEnvironment]));
    }
    if (flags[name] === 'switch' && values.some((value) => !['true', 'false'].includes(value))) {
      problems.push(`--${name} is true or false`);
    }
  }
  return {
    values: Object.fromEntries(given) as unknown as FlagValues<Flags>['values'],
    problems,
  };
}

function unknownFlag(rawName: string, names: readonly string[]): string {
  const meant = nearest(rawName.replace(/^-+/, ''), names);
  return `unknown flag ${rawName}${meant ? `; did you mean --${meant}?` : ''}`;
}
