/**
 * Canonical JSON as Notary writes and verifies it (docker/go flavour), and the wire form that its
 * server expects. Key ids and signatures are made over the first, hashes over the second.
 */

/** A value that JSON can hold; numbers are integers, since the canonical form knows no other. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Nothing of Notary's nests deeper than a few levels; what people put into `custom` may. */
const DEEPEST = 100;
const SURROGATE = /[\ud800-\udfff]/;

/** A value has no canonical form: a fraction, a number beyond 2^53, or too deep a nesting. */
export class NotCanonicalError extends Error {
  override readonly name = 'NotCanonicalError';
}

/**
 * The canonical form of a value: keys sorted by their UTF-8 bytes, no whitespace, `"` and `\` alone
 * escaped, integers alone as numbers.
 *
 * @throws NotCanonicalError when a number is a fraction or too large, or the nesting too deep
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
  const members = Object.entries(value).sort(([a], [b]) => compareKeys(a, b));
  return `{${members.map(([key, item]) => `${canonicalString(key)}:${canonicalAt(item, depth + 1)}`).join(',')}}`;
}

/**
 * The text as Go's encoder puts it on the wire: five characters escaped that JSON would allow raw.
 * A server that re-serialises our metadata hashes this form; one byte off makes the repository
 * unreadable.
 */
export function wireForm(text: string): string {
  return text.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function canonicalNumber(value: number): string {
  if (!Number.isSafeInteger(value)) {
    throw new NotCanonicalError(`${value} is not an integer that canonical JSON can hold`);
  }
  return value === 0 ? '0' : String(value);
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
