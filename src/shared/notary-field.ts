import { nearest } from './nearest.ts';
import { parseNotaryUrl, type NotaryUrl } from './notary-url.ts';

/** One thing that is wrong, told so that it can be mended without other help. */
export interface ConfigProblem {
  /** `spec.notary.v1.url`, or `metadata.annotations[…]`. */
  readonly field: string;
  /** The object, as people name it: `Image app`. */
  readonly object: string;
  readonly found: string;
  readonly expected: string;
}

/** Where readers of fields put what is wrong or risky about one object. */
export interface Findings {
  readonly object: string;
  readonly problems: ConfigProblem[];
  readonly warnings: string[];
}

const SECRET_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const ROOT_KEY_ID = /^[0-9a-f]{64}$/;
const EXAMPLE_URL = 'for example https://notary.example.com:4443';
const EXAMPLE_SECRET = 'the name of a Secret in the same namespace, for example notary-signing';
const LONGEST_SHOWN = 100;

/** Notes a problem; undefined, as the value that could not be read. */
export function problem(
  { object, problems }: Findings,
  field: string,
  found: string,
  expected: string,
): undefined {
  problems.push({ field, object, found, expected });
  return undefined;
}

/** A value as a message shows it: cut, and not at all where it may hold credentials. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.includes('@') ? 'a value that may hold credentials' : cut(text);
}

/** A name that somebody chose, in a length that stays readable. */
export function cut(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

/** The one of `known` that was meant, or all of them. */
export function expectedName(name: string, known: readonly string[]): string {
  const meant = nearest(name.toLowerCase(), known);
  return meant === undefined ? `one of ${known.join(', ')}` : `${meant}: did you mean that?`;
}

/** The members of an object that has no others than `known`. */
export function readMembers(
  findings: Findings,
  field: string,
  value: unknown,
  known: readonly string[],
): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return problem(findings, field, show(value), `an object with ${known.join(' and ')}`);
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    problem(findings, `${field}.${cut(name)}`, 'an unknown member', expectedName(name, known));
  }
  return value as Readonly<Record<string, unknown>>;
}

export function readUrl(findings: Findings, field: string, value: unknown): NotaryUrl | undefined {
  if (typeof value !== 'string' || value === '') {
    return problem(findings, field, show(value), `an https URL, ${EXAMPLE_URL}`);
  }
  const url = parseNotaryUrl(value);
  if (typeof url !== 'string') {
    return problem(findings, field, url.problem, `${url.expected}, ${EXAMPLE_URL}`);
  }
  return url;
}

/** An object with a name, as kpack has it; or a plain string, as its RFC has it. */
export function readSecretReference(
  findings: Findings,
  field: string,
  value: unknown,
): string | undefined {
  if (typeof value === 'string' && value !== '') {
    const name = readSecretName(findings, field, value);
    if (name !== undefined) {
      findings.warnings.push(`${field}: a plain string is read; write secretRef: {name: ${name}}`);
    }
    return name;
  }
  const members = readMembers(findings, field, value, ['name']);
  return members && readSecretName(findings, `${field}.name`, members['name']);
}

export function readSecretName(
  findings: Findings,
  field: string,
  value: unknown,
): string | undefined {
  if (typeof value === 'string' && SECRET_NAME.test(value)) return value;
  const isElsewhere = typeof value === 'string' && value.includes('/');
  const expected = isElsewhere ? `${EXAMPLE_SECRET}; others are out of reach` : EXAMPLE_SECRET;
  return problem(findings, field, show(value), expected);
}

export function readRootPins(
  findings: Findings,
  field: string,
  value: unknown,
): readonly string[] | undefined {
  const ids = typeof value === 'string' ? value.split(',').map((id) => id.trim()) : [];
  if (ids.length > 0 && ids.every((id) => ROOT_KEY_ID.test(id))) return ids;
  const expected = 'ids of root keys (64 hex digits each), separated by commas';
  return problem(findings, field, show(value), expected);
}

export function readOneOf<Value extends string>(
  findings: Findings,
  field: string,
  value: unknown,
  allowed: readonly Value[],
): Value | undefined {
  const found = allowed.find((candidate) => candidate === value);
  return found ?? problem(findings, field, show(value), allowed.join(' or '));
}
