import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { canonicalJson, wireForm, type Json } from '../../../../src/sidecar/tuf/canonical-json.ts';
import { emitFile } from '../../../../src/sidecar/tuf/emit.ts';
import { anyJson } from '../support/trust/arbitrary.ts';

t.test('canonical JSON', async (t) => {
  t.test('every value has one form', async (t) => {
    const cases: readonly (readonly [value: Json, text: string, what: string])[] = [
      [null, 'null', 'null'],
      [[true, false], '[true,false]', 'booleans'],
      [-0, '0', 'minus zero'],
      [-17, '-17', 'a negative number'],
      [Number.MAX_SAFE_INTEGER, '9007199254740991', 'the largest safe integer'],
      [JSON.parse('1e3') as Json, '1000', 'an exponent'],
      [JSON.parse('1.0') as Json, '1', 'a fraction of nothing'],
      [{}, '{}', 'an empty object'],
      [[], '[]', 'an empty list'],
      [
        { b: 1, a: { d: [{ z: 1, y: 2 }], c: 3 } },
        '{"a":{"c":3,"d":[{"y":2,"z":1}]},"b":1}',
        'keys, at every depth',
      ],
      [
        { a: 1, A: 2, '10': 3, '9': 4, '': 5 },
        '{"":5,"10":3,"9":4,"A":2,"a":1}',
        'keys by bytes, numbers among them',
      ],
      [{ '\u{10000}': 1, '\uff21': 2 }, '{"\uff21":2,"\u{10000}":1}', 'an astral key after U+FF21'],
      [{ aa: 1, a: 2, ab: 3 }, '{"a":2,"aa":1,"ab":3}', 'a key after its own beginning'],
      ['"\\/', '"\\"\\\\/"', 'quote and backslash alone escaped'],
      ['<>&\u2028\u2029\u007f', '"<>&\u2028\u2029\u007f"', 'raw what the wire form escapes'],
      ['\u0001\n\t', '"\u0001\n\t"', 'control characters raw'],
      ['a\ud800b', '"a\ufffdb"', 'a lone surrogate replaced'],
      [{ '\udc00': 1 }, '{"\ufffd":1}', 'a lone surrogate in a key replaced'],
      [
        JSON.parse('{"__proto__":{"b":1,"a":2}}') as Json,
        '{"__proto__":{"a":2,"b":1}}',
        'a member named __proto__',
      ],
    ];
    for (const [value, text, what] of cases) t.equal(canonicalJson(value), text, what);
  });

  t.test(
    'numbers are printed as Go on amd64 does: rounded to a double, as an integer of 64 bits',
    async (t) => {
      for (const [number, text] of [
        ['9007199254740993', '9007199254740992'],
        ['-9007199254740993', '-9007199254740992'],
        ['1152921504606846976', '1152921504606846976'],
        ['1234567890123456789', '1234567890123456768'],
        ['9223372036854774784', '9223372036854774784'],
        ['-9223372036854775808', '-9223372036854775808'],
        ['9223372036854775807', '-9223372036854775808'],
        ['1e300', '-9223372036854775808'],
        ['-1e300', '-9223372036854775808'],
      ] as const) {
        t.equal(
          canonicalJson({ deep: [JSON.parse(number) as Json] }),
          `{"deep":[${text}]}`,
          number,
        );
      }
    },
  );

  t.test('numbers that are no integers are refused', async (t) => {
    for (const number of ['0.5', '-1.25', '1e-300', '1e400']) {
      const value = { deep: [JSON.parse(number) as Json] };
      t.throws(() => canonicalJson(value), { name: 'NotCanonicalError' }, number);
    }
  });

  t.test('the wire form escapes the five characters of Go, in lower case', async (t) => {
    t.equal(wireForm('<a>&\u2028\u2029'), '\\u003ca\\u003e\\u0026\\u2028\\u2029');
    t.equal(wireForm('"é\u{1f600}\u007f\u2027\u202a\''), '"é\u{1f600}\u007f\u2027\u202a\'');
    const bytes = emitFile(Buffer.from('{"a<b":"\u2028"}'), [
      { keyId: 'k&', method: 'm', sig: '>' },
    ]);
    t.equal(
      Buffer.from(bytes).toString(),
      '{"signed":{"a\\u003cb":"\\u2028"},"signatures":[{"keyid":"k\\u0026","method":"m","sig":"\\u003e"}]}',
    );
  });

  t.test('the form is stable under parsing', async () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const text = canonicalJson(value);
        assert.equal(canonicalJson(JSON.parse(text) as Json), text);
      }),
    );
  });
});
