import fc from 'fast-check';
import t from 'tap';
import { exceededBound } from '../../../src/shared/json-bounds.ts';
import { runs } from '../../support/runs.ts';

const PLENTY = Number.MAX_SAFE_INTEGER;

/** Depth and parts of a value, counted in the value itself. */
function measured(value: unknown): { readonly depth: number; readonly parts: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, parts: 0 };
  const inner = Object.values(value).map(measured);
  const separators = Math.max(0, inner.length - 1);
  const colons = Array.isArray(value) ? 0 : inner.length;
  return {
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
    parts: 1 + separators + colons + inner.reduce((sum, { parts }) => sum + parts, 0),
  };
}

const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\\', '"', '\\"', '{[,:]}'));
const anything = fc.anything({ key, values: [fc.integer(), fc.boolean(), fc.constant(null), key] });

t.test('what is counted is what the value has, however its texts are written', async (t) => {
  fc.assert(
    fc.property(anything, fc.constantFrom(undefined, 2, '\t'), (given, space) => {
      const value: unknown = JSON.parse(JSON.stringify([given]));
      const text = Buffer.from(JSON.stringify(value, null, space));
      const { depth, parts } = measured(value);
      t.equal(exceededBound(text, { depth, parts }), undefined);
      if (depth > 0) t.equal(exceededBound(text, { depth: depth - 1, parts: PLENTY }), 'depth');
      if (parts > 0) t.equal(exceededBound(text, { depth: PLENTY, parts: parts - 1 }), 'parts');
    }),
    runs(500),
  );
});

t.test('no text is taken for more than it can be parsed to', async (t) => {
  const piece = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '1', ' ', 'é', '\u0000');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      const parse = () => measured(JSON.parse(text));
      let found: ReturnType<typeof measured> | undefined;
      try {
        found = parse();
      } catch {
        // Not JSON: any answer will do that comes.
      }
      const most = { depth: 3, parts: 10 };
      const exceeded = exceededBound(Buffer.from(text), most);
      if (!found) return;
      // A member that is there twice is parsed once.
      if (exceeded === undefined) t.ok(found.depth <= most.depth && found.parts <= most.parts);
    }),
    runs(2_000),
  );
});
