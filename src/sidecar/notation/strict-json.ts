import { exceededBound } from '../../shared/json-bounds.ts';
import { isObject, parseObject, type Members } from '../../shared/json.ts';

/** Envelopes and manifests have a few kilobytes; registries take manifests up to this size. */
const MOST_BYTES = 4 * 1024 * 1024;
const BOUNDS = { depth: 10, parts: 10_000 };
const STRING = /"(?:[^"\\]|\\.)*"/g;
/** What is left without the strings: no literals, and whole numbers that are not negative. */
const PLAIN = /^[\s{}[\]:,\d]*$/;

/**
 * The object that a JSON text holds, if every reader finds the same in it. Verifiers in Go pay no
 * attention to the case of names, and of names that stand twice the last one counts. So a text
 * could be one thing to them and another to the signer.
 *
 * @returns undefined for anything else, and beyond the bounds
 */
export function parseStrictObject(bytes: Uint8Array): Members | undefined {
  if (bytes.length > MOST_BYTES) return undefined;
  if (exceededBound(Buffer.from(bytes), BOUNDS)) return undefined;
  const text = decode(bytes);
  const value = text === undefined ? undefined : parseObject(text);
  if (text === undefined || value === undefined) return undefined;
  const rest = text.replaceAll(STRING, '');
  const written = rest.split(':').length - 1;
  return PLAIN.test(rest) && countNames(value) === written ? value : undefined;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** How many members the objects in a value have; those whose names differ by case count once. */
function countNames(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countNames(item), 0);
  if (!isObject(value)) return 0;
  // Both, since some letters are equal after the one conversion alone.
  const names = Object.keys(value).map((name) => name.toLowerCase().toUpperCase());
  return new Set(names).size + countNames(Object.values(value));
}
