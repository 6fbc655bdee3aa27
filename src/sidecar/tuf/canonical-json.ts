/**
 * Canonical JSON as Notary writes and verifies it (docker/go flavour), and the wire form that its
 * server expects. Key ids and signatures are made over the first, hashes over the second.
 */

/** A value that JSON can hold; the canonical form knows no numbers but integers. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Nothing of Notary's nests deeper than a few levels; what people put into `custom` may. */
const DEEPEST = 1000;
/** The first integer beyond Go's int64, and what its conversion makes of that on amd64. */
const BEYOND_INT64 = 2 ** 63;
const OUT_OF_RANGE = '-9223372036854775808';
const SURROGATE = /[\ud800-\udfff]/;

/** A value has no canonical form: a fraction, or too deep a nesting. */
export class NotCanonicalError extends Error {
  override readonly name = 'NotCanonicalError';
}

/**
 * The canonical form of a value: keys sorted by their UTF-8 bytes, no whitespace, `"` and `\` alone
 * escaped, integers alone as numbers. As in Go, a number is first rounded to a double, then printed
 * as an integer of 64 bits.
 *
 * @throws NotCanonicalError when a number is a fraction, or the nesting too deep
 */
export function canonicalJson(value: Json): string {
  return canonicalAt(value, 0);
}

function canonicalAt(value: Json, depth: number): string {
  if (depth > DEEPEST) throw new NotCanonicalError(`it nests deeper than ${DEEPEST} levels`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return canonicalNumber(value);
  if (typeof value === 'string') return canonicalString(value);
  if (isArray(value)) return `[${value.map((item) => canonicalAt(item, depth + 1)).join(',')}]`;
  return canonicalObject(
    Object.entries(value).map(([key, item]) => [key, canonicalAt(item, depth + 1)]),
  );
}

/** The canonical form of an object whose members are texts already. */
export function canonicalObject(members: [key: string, text: string][]): string {
  const sorted = members.sort(([a], [b]) => compareKeys(a, b));
  return `{${sorted.map(([key, text]) => `${canonicalString(key)}:${text}`).join(',')}}`;
}

/**
 * The text as Go's encoder puts it on the wire: five characters escaped that JSON would allow raw.
 * A server that re-serialises metadata hashes this form; one byte off makes the repository
 * unreadable.
 */
export function wireForm(text: string): string {
  return text.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function canonicalNumber(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 ? '0' : String(value);
  if (!Number.isInteger(value)) {
    throw new NotCanonicalError(`${value} is not an integer that canonical JSON can hold`);
  }
  return Math.abs(value) < BEYOND_INT64 ? BigInt(value).toString() : OUT_OF_RANGE;
}

function canonicalString(value: string): string {
  // A lone surrogate becomes U+FFFD, as in Go, by the round trip through UTF-8.
  const wellFormed = SURROGATE.test(value) ? Buffer.from(value).toString() : value;
  return `"${wellFormed.replace(/["\\]/g, '\\$&')}"`;
}

/** By UTF-8 bytes. Without surrogates that is the order of the strings, which takes no memory. */
function compareKeys(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
