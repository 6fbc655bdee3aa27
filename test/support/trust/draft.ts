/** Metadata as JSON to change in place, and the text that a server makes of it. */

/** JSON to change in place. */
export type Draft = null | boolean | number | string | Draft[] | DraftObject;
export interface DraftObject {
  [name: string]: Draft;
}

/** Canonical JSON, of what the builder writes: no text with control characters or lone surrogates. */
export function canonical(value: Draft): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const names = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const members = names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`);
  return `{${members.join(',')}}`;
}

/** A file as Go's encoder writes it; members of the envelope and of signatures keep their order. */
export function goWire(file: DraftObject): string {
  const members = Object.entries(file).map(([name, value]) => {
    const text = name === 'signed' ? canonical(value) : JSON.stringify(value);
    return `${JSON.stringify(name)}:${text}`;
  });
  const escape = (character: string) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `{${members.join(',')}}`.replace(/[<>&\u2028\u2029]/g, escape);
}

/**
 * Sets what is at a path (`a.b.0`, or names where those hold dots); undefined removes it. For tables
 * of malformed files.
 */
export function setAt(
  root: DraftObject,
  path: string | readonly string[],
  value: Draft | undefined,
): void {
  const names = typeof path === 'string' ? path.split('.') : [...path];
  const last = names.pop() ?? '';
  let parent = root as Record<string, Draft | undefined>;
  for (const name of names) {
    const child = parent[name];
    if (typeof child !== 'object' || child === null) throw new Error(`nothing at ${name}`);
    parent = child as Record<string, Draft | undefined>;
  }
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = value;
}
