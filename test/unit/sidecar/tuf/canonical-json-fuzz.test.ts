import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  canonicalJson,
  NotCanonicalError,
  wireForm,
  type Json,
} from '../../../../src/sidecar/tuf/canonical-json.ts';
import { anyJson, anyText } from '../support/trust/arbitrary.ts';
import { canonical, type Draft } from '../../../support/trust/draft.ts';
import { runs } from '../../../support/runs.ts';

/** Keys whose order differs by UTF-8 bytes, UTF-16 units and numbers. */
const anyKey = fc.oneof(
  anyText,
  fc.constantFrom('10', '9', '', '\uff21', '\u{10000}', '\ue000', 'é', 'z', '__proto__'),
);

/** Text with characters that some encoder escapes, and their neighbours. */
const marks = fc.constantFrom(
  ...Array.from('<>&=;%\'"\\/+`\u2027\u2028\u2029\u202a\u0000\u001f\u007f\u00a0'),
);
const anyString = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: marks }));

t.test('canonical JSON', async (t) => {
  t.test('is what a second implementation writes', async () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        assert.equal(canonicalJson(value), canonical(value as Draft));
      }),
      runs(1000),
    );
  });

  t.test('has its keys in the order of their code points, each once', async () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyKey, { maxLength: 8 }), (keys) => {
        const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
        const written = [...text.matchAll(/"((?:[^"\\]|\\.)*)":0/gsu)].map(([, key = '']) =>
          key.replace(/\\(.)/gsu, '$1'),
        );
        assert.deepEqual(written, [...keys].sort(byCodePoints));
      }),
      runs(1000),
    );
  });

  t.test('does not depend on the order in which members were given', async () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(anyKey, anyJson), { selector: ([key]) => key }), (m) => {
        const [there, back] = [m, m.toReversed()].map((list) =>
          canonicalJson(Object.fromEntries(list)),
        );
        assert.equal(there, back);
      }),
    );
  });

  t.test('of any text differs from the text by escapes of two characters alone', async () => {
    fc.assert(
      fc.property(anyString, (text) => {
        const written = canonicalJson(text);
        assert.equal(written.slice(1, -1).replace(/\\(["\\])/g, '$1'), text);
        assert.equal(written.length, text.length + 2 + (text.match(/["\\]/g) ?? []).length);
      }),
      runs(1000),
    );
  });

  t.test('replaces halves of characters, as Go does when it reads them', async () => {
    // Units of UTF-16, halves of characters among them.
    const units = fc.array(fc.constantFrom('a', '\ud83d', '\ude00', '\ud800', '\uffff'));
    fc.assert(
      fc.property(units, (units) => {
        const text = units.join('');
        const whole = Buffer.from(text, 'utf16le').toString('utf16le');
        const expected = new TextDecoder().decode(new TextEncoder().encode(whole));
        assert.equal(canonicalJson(text), `"${expected}"`);
        assert.equal(canonicalJson({ [text]: 1 }), `{"${expected}":1}`);
      }),
    );
  });

  t.test('of any JSON value is a text, or an error that says what has no form', async () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const numbers: number[] = [];
        const plain = JSON.parse(JSON.stringify(value), (_, item: unknown) => {
          if (typeof item === 'number') numbers.push(item);
          return item === 0 ? 0 : item;
        }) as Json;
        if (numbers.every((number) => Number.isInteger(number) && Math.abs(number) < 2 ** 63))
          assert.deepEqual(JSON.parse(canonicalJson(value as Json)), plain);
        else if (numbers.every(Number.isInteger)) assert.ok(canonicalJson(value as Json));
        else assert.throws(() => canonicalJson(value as Json), NotCanonicalError);
      }),
      runs(1000),
    );
  });

  t.test('nests as deep as it is allowed to, and no deeper', async () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(2000), fc.integer({ min: 999, max: 1002 })),
        fc.boolean(),
        (depth, lists) => {
          let value: Json = 0;
          for (let i = 0; i < depth; i++) value = lists ? [value] : { a: value };
          if (depth <= 1000) assert.ok(canonicalJson(value));
          else assert.throws(() => canonicalJson(value), NotCanonicalError);
        },
      ),
    );
  });
});

t.test('the wire form', async (t) => {
  t.test('means the same, and has nothing left that Go would escape', async () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const text = canonicalJson(value);
        const wire = wireForm(text);
        assert.deepEqual(JSON.parse(wire), JSON.parse(text));
        assert.doesNotMatch(wire, /[<>&\u2028\u2029]/);
        assert.equal(wireForm(wire), wire);
        assert.equal(canonicalJson(JSON.parse(wire) as Json), text);
      }),
      runs(1000),
    );
  });

  t.test('leaves every other character as it is', async () => {
    fc.assert(
      fc.property(anyString, (text) => {
        const back = wireForm(text).replace(/\\u(003c|003e|0026|2028|2029)/g, (_, hex: string) =>
          String.fromCharCode(parseInt(hex, 16)),
        );
        // A text may have such an escape already: then it is the same for both.
        assert.equal(
          back,
          text.replace(/\\u(003c|003e|0026|2028|2029)/g, (_, hex: string) =>
            String.fromCharCode(parseInt(hex, 16)),
          ),
        );
      }),
    );
  });
});

function byCodePoints(one: string, other: string): number {
  const [a, b] = [one, other].map((text) => Array.from(text, (each) => each.codePointAt(0) ?? 0));
  if (!a || !b) return 0;
  const at = a.findIndex((point, i) => point !== b[i]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
}
