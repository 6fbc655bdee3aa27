/**
 * A deep copy of plain JSON: several times as fast as writing and parsing it, which is what
 * fast-json-patch does, and the largest part of a decision.
 */
export function copyJson<Value>(value: Value): Value {
  return copied(value) as Value;
}

function copied(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copied);
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    // To assign it would change what the copy inherits from.
    if (name === '__proto__') Object.defineProperty(copy, name, { ...OWN, value: copied(member) });
    else copy[name] = copied(member);
  }
  return copy;
}

const OWN = { configurable: true, enumerable: true, writable: true };
