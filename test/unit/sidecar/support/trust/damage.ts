/** Ways to damage files, for properties. */
import fc from 'fast-check';
import type { Draft } from '../../../../support/trust/draft.ts';

/** One change of a file; where it changes nothing, the file stays as it was. */
export type Damage = (bytes: Uint8Array) => Uint8Array;

/** Some bytes are others, are missing, or come twice. */
const ofBytes: fc.Arbitrary<Damage> = fc
  .record({ at: fc.nat(), cut: fc.nat(8), put: fc.uint8Array({ maxLength: 4 }), bit: fc.nat(7) })
  .chain(({ at, cut, put, bit }) =>
    fc.constantFrom<Damage>(
      (bytes) => {
        const copy = Uint8Array.from(bytes);
        const place = at % copy.length;
        copy[place] = (copy[place] ?? 0) ^ (1 << bit);
        return copy;
      },
      (bytes) => {
        const place = at % bytes.length;
        return Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + cut)]);
      },
      (bytes) => bytes.subarray(0, at % bytes.length),
    ),
  );

/** Values that are of another kind, or hostile. */
const strange: fc.Arbitrary<Draft> = fc.constantFrom<Draft[]>(
  ...[null, true, -1, 0, 1, 0.5, 1e300, '', 'x', [], {}, [[]], { a: 1 }],
  ...['2020-01-01T00:00:00Z', '9999-99-99T00:00:00Z', '__proto__', 'targets/../x'],
  { __proto__: null, constructor: 1 },
);

/** Some member, at any depth, is missing, has another name, comes again, or is something else. */
const ofMembers: fc.Arbitrary<Damage> = fc
  .record({
    at: fc.nat(),
    how: fc.constantFrom('drop', 'rename', 'repeat', 'replace', 'borrow'),
    value: strange,
    from: fc.nat(),
  })
  .map(({ at, how, value, from }) => (bytes) => {
    const file = parse(bytes);
    if (file === undefined) return bytes;
    const places = placesOf(file);
    const [place, other] = [places[at % places.length], places[from % places.length]];
    if (!place || !other) return bytes;
    const { parent, name } = place;
    if (how === 'drop') Reflect.deleteProperty(parent, name);
    if (how === 'rename') {
      parent[`${name}x`] = parent[name] ?? null;
      Reflect.deleteProperty(parent, name);
    }
    if (how === 'repeat') parent[`${name}x`] = structuredClone(parent[name] ?? null);
    if (how === 'replace') parent[name] = value;
    if (how === 'borrow') parent[name] = structuredClone(other.parent[other.name] ?? null);
    return Buffer.from(JSON.stringify(file));
  });

/** Any damage to one file. */
export const anyDamage: fc.Arbitrary<Damage> = fc.oneof(ofBytes, ofMembers, ofMembers);

interface Place {
  readonly parent: Record<string, Draft>;
  readonly name: string;
}

function placesOf(value: Draft): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const parent = value as Record<string, Draft>;
  return Object.keys(parent).flatMap((name) => [
    { parent, name },
    ...placesOf(parent[name] ?? null),
  ]);
}

function parse(bytes: Uint8Array): Draft | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Draft;
  } catch {
    return undefined;
  }
}
