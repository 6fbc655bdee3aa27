import { SigningError } from '../../shared/signing-error.ts';
import type { Json } from './canonical-json.ts';

/**
 * Reads the shape of one metadata file: what is not as it must be is an error that names the place,
 * and members that we do not know are collected, since signing the file again would lose them.
 */
export interface Shape {
  /** The file, as messages name it: `root.json`. */
  readonly file: string;
  /** Paths of the members that nobody asked for. */
  readonly unknownMembers: string[];
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

export type Members = ReadonlyMap<string, Json>;

/** The members of an object; others than `known` are noted. `known` absent: any name is a key. */
export function readObject(
  shape: Shape,
  value: Json | undefined,
  path: string,
  known?: readonly string[],
): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(shape, path, 'an object');
  }
  const members = new Map(Object.entries(value));
  for (const name of known ? members.keys() : []) {
    if (!known?.includes(name)) shape.unknownMembers.push(`${path}.${name}`);
  }
  return members;
}

/**
 * Go writes null for a list or map that was emptied: as "roles" when the last delegation is removed,
 * as "keyids" when the last key of one is.
 */
export function filled(value: Json | undefined, empty: Json): Json | undefined {
  return value === null ? empty : value;
}

export function readArray(shape: Shape, value: Json | undefined, path: string): readonly Json[] {
  if (!Array.isArray(value)) throw malformed(shape, path, 'a list');
  return value as readonly Json[];
}

export function readString(shape: Shape, value: Json | undefined, path: string): string {
  if (typeof value !== 'string') throw malformed(shape, path, 'a string');
  return value;
}

export function readStrings(shape: Shape, value: Json | undefined, path: string): string[] {
  return readArray(shape, value, path).map((item, i) => readString(shape, item, `${path}[${i}]`));
}

/** Go's int64 ends before it. */
const BEYOND_INT64 = 2 ** 63;

/** An integer of at least `least`, as Go reads one; beyond 2^53 it is rounded. */
export function readInteger(
  shape: Shape,
  value: Json | undefined,
  path: string,
  least: number,
): number {
  const isInteger = Number.isInteger(value) && Math.abs(Number(value)) < BEYOND_INT64;
  if (typeof value === 'number' && isInteger && value >= least) return value;
  const bound = Number.isFinite(least) ? ` of at least ${least}` : '';
  throw malformed(shape, path, `an integer${bound}`);
}

/** A moment as RFC 3339 writes it, left as it is: Go writes nanoseconds, which Date would cut. */
export function readTime(shape: Shape, value: Json | undefined, path: string): string {
  const text = readString(shape, value, path);
  if (!RFC_3339.test(text) || Number.isNaN(Date.parse(text))) {
    throw malformed(shape, path, 'an RFC 3339 time');
  }
  return text;
}

/** What is at `path` is not `expected`. */
export function malformed(shape: Shape, path: string, expected: string): SigningError {
  return new SigningError('METADATA_INVALID', `${shape.file}: ${path} is not ${expected}`);
}
