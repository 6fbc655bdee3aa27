import { nearest } from '../../shared/nearest.ts';
import { EXAMPLE, NAME_MEMBERS, written, type KnownMembers } from './notary-members.ts';
import { DURATION_FORM, parseDuration } from '../../shared/duration.ts';
import { parseNotaryUrl, type NotaryUrl, type UrlProblem } from '../../shared/notary-url.ts';
import { cut, show, shownName } from '../../shared/shown-value.ts';
import { parseTimestampUrl, type TimestampUrl } from '../../shared/timestamp-url.ts';

/** One mistake, with all that is needed to correct it. */
export interface ConfigProblem {
  /** `spec.notary.v1.url`, or `metadata.annotations[…]`. */
  readonly field: string;
  /** The object, as people name it: `Image app`. */
  readonly object: string;
  readonly found: string;
  readonly expected: string;
  /** What could stand there instead; undefined where nothing should. */
  readonly example: string | undefined;
}

/** Where readers of fields put what is wrong or risky about one object. */
export interface Findings {
  readonly object: string;
  readonly problems: ConfigProblem[];
  readonly warnings: string[];
}

/** DNS subdomain of RFC 1123, as Kubernetes has it: labels of any length, 253 characters in all. */
const SECRET_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const LONGEST_SECRET_NAME = 253;
const ROOT_KEY_ID = /^[0-9a-f]{64}$/;
/** Each becomes a flag of the signing container; nobody has that many roots. */
const MOST_ROOT_PINS = 20;
/** Nobody mistypes that many, and each is compared with all that are known. */
const MOST_MEMBERS = 100;

const OR = new Intl.ListFormat('en', { type: 'disjunction' });

/** Notes a problem; undefined, as the value that could not be read. */
export function problem(
  { object, problems }: Findings,
  field: string,
  found: string,
  expected: string,
  example?: string,
): undefined {
  problems.push({ field, object, found, expected, example });
  return undefined;
}

/** The one of `known` that was meant, or all of them. */
export function expectedName(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return meant === undefined ? `one of ${known.join(', ')}` : `${meant} (did you mean that?)`;
}

/**
 * The members of an object that has no others than `known`. What is mistyped is a problem, and is
 * read as what was meant, so that it is not said to be missing as well.
 */
export function readMembers(
  findings: Findings,
  field: string,
  value: unknown,
  members: KnownMembers,
): Readonly<Record<string, unknown>> | undefined {
  const { known, elsewhere = {} } = members;
  const names = Object.keys(known);
  const reject = (found: string) =>
    problem(findings, field, found, `an object with ${names.join(' and ')}`, written(members));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return reject(show(value));
  }
  const count = Object.keys(value).length;
  if (count > MOST_MEMBERS) return reject(`an object with ${count} members`);
  const read: Record<string, unknown> = { ...value };
  // In an order of their own: that of an object depends on how it came.
  for (const [name, mistyped] of sortedEntries(value)) {
    if (names.includes(name)) continue;
    const meant = nearest(name, [...names, ...Object.keys(elsewhere)]) ?? '';
    problem(
      findings,
      `${field}.${shownName(name)}`,
      'an unknown member',
      elsewhere[meant] ?? expectedName(name, names),
      meant in elsewhere ? undefined : (known[meant] ?? written(members)),
    );
    if (names.includes(meant)) read[meant] ??= mistyped;
  }
  return read;
}

/** The members of an object, by name. */
export function sortedEntries(value: object): readonly [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function readUrl(findings: Findings, field: string, value: unknown): NotaryUrl | undefined {
  return readParsed(findings, field, value, parseNotaryUrl, ['an https URL', EXAMPLE.url]);
}

export function readTimestampUrl(
  findings: Findings,
  field: string,
  value: unknown,
): TimestampUrl | undefined {
  const expected = ['the URL of a timestamp server', EXAMPLE.timestampUrl] as const;
  return readParsed(findings, field, value, parseTimestampUrl, expected);
}

function readParsed<Url extends string>(
  findings: Findings,
  field: string,
  value: unknown,
  parse: (text: string) => Url | UrlProblem,
  [expected, example]: readonly [expected: string, example: string],
): Url | undefined {
  if (typeof value !== 'string' || value === '') {
    return problem(findings, field, show(value), expected, example);
  }
  const url = parse(value);
  if (typeof url === 'string') return url;
  return problem(findings, field, url.problem, url.expected, example);
}

/** A duration, as written. */
export function readDuration(
  findings: Findings,
  field: string,
  value: unknown,
): string | undefined {
  if (typeof value === 'string' && parseDuration(value) !== undefined) return value;
  return problem(findings, field, show(value), DURATION_FORM);
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
      findings.warnings.push(
        `${field} is a plain text, which kpack itself does not read. Write it as an object: secretRef: {name: ${cut(name)}}.`,
      );
    }
    return name;
  }
  const members = readMembers(findings, field, value, NAME_MEMBERS);
  return members && readSecretName(findings, `${field}.name`, members['name']);
}

export function readSecretName(
  findings: Findings,
  field: string,
  value: unknown,
  example: string = EXAMPLE.secretName,
): string | undefined {
  const isName =
    typeof value === 'string' && value.length <= LONGEST_SECRET_NAME && SECRET_NAME.test(value);
  if (isName) return value;
  const isElsewhere = typeof value === 'string' && value.includes('/');
  const rule = isElsewhere
    ? ', as no other can be mounted'
    : ' (at most 253 lower-case letters and digits, with - and . between them)';
  const expected = `the name of a Secret in the same namespace${rule}`;
  return problem(findings, field, show(value), expected, example);
}

/** Ids of root keys, each once. */
export function readRootPins(
  findings: Findings,
  field: string,
  value: unknown,
): readonly string[] | undefined {
  const ids = typeof value === 'string' ? value.split(',').map((id) => id.trim()) : [];
  const invalid = ids.filter((id) => !ROOT_KEY_ID.test(id));
  if (ids.length > MOST_ROOT_PINS) {
    const expected = `at most ${MOST_ROOT_PINS} ids of root keys`;
    return problem(findings, field, `${ids.length} ids`, expected, EXAMPLE.rootPin);
  }
  if (ids.length > 0 && invalid.length === 0) return [...new Set(ids)];
  const expected = 'ids of root keys (64 digits of lower-case hex each), separated by commas';
  const found = ids.length > 0 ? invalid.map(show).join(', ') : show(value);
  return problem(findings, field, found, expected, EXAMPLE.rootPin);
}

export function readOneOf<Value extends string>(
  findings: Findings,
  field: string,
  value: unknown,
  allowed: readonly [Value, ...Value[]],
): Value | undefined {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  const meant = typeof value === 'string' ? nearest(value, allowed) : undefined;
  const expected = meant === undefined ? OR.format(allowed) : `${meant} (did you mean that?)`;
  return problem(findings, field, show(value), expected, meant ?? allowed[0]);
}

/** An object that can configure signing, as far as that goes. */
export interface ConfigSource {
  readonly kind: 'Image' | 'Build' | 'Namespace';
  readonly name: string;
  readonly labels: Readonly<Record<string, unknown>>;
  readonly annotations: Readonly<Record<string, unknown>>;
  /** `spec.notary`; Namespaces have none. */
  readonly section?: unknown;
}
