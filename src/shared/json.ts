/** The members of an object that somebody else wrote. */
export type Members = Readonly<Record<string, unknown>>;

/** Whether a value of JSON is an object: not null, and no list. */
export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that a JSON text (or its UTF-8) holds; undefined if it holds anything else, or is no JSON. */
export function parseObject(text: string | Uint8Array): Members | undefined {
  try {
    const json = typeof text === 'string' ? text : Buffer.from(text).toString();
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
