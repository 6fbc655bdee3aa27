import { fieldOf } from './annotation-name.ts';
import { problem, type ConfigSource, type Findings } from './notary-field.ts';
import { annotationLine } from './notary-members.ts';

const AND = new Intl.ListFormat('en', { type: 'conjunction' });

/** Whether an object has one of these annotations, right or wrong. */
export function setsAnyOf({ annotations }: ConfigSource, names: readonly string[]): boolean {
  return names.some((name) => annotations[name] !== undefined);
}

/** The value of an annotation; undefined where there is none, or none that can be read. */
export function readAnnotation<Value>(
  findings: Findings,
  { annotations }: ConfigSource,
  name: string,
  read: (findings: Findings, field: string, value: unknown) => Value | undefined,
): Value | undefined {
  const value = annotations[name];
  return value === undefined ? undefined : read(findings, fieldOf(name), value);
}

/** Notes that an annotation is missing, if others are there that only go with it. */
export function requireBeside(
  findings: Findings,
  source: ConfigSource,
  name: string,
  others: readonly string[],
): void {
  const needing = others.filter((other) => setsAnyOf(source, [other]));
  if (needing.length === 0 || setsAnyOf(source, [name])) return;
  const verb = needing.length === 1 ? 'goes' : 'go';
  const expected = `a value, since ${AND.format(needing)} only ${verb} with it`;
  problem(findings, fieldOf(name), 'nothing', expected, annotationLine(name));
}
