import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { parseChallenges } from '../../../../src/sidecar/auth/challenge.ts';
import { runs } from '../../../support/runs.ts';

t.test('challenges of a server', async (t) => {
  const read = (header: string) =>
    parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);

  t.test('are read in every form that servers write', async (t) => {
    const realm = 'https://auth.test/token?a=b&c=d';
    const scope = 'repository:h.test/a:push,pull';
    const cases: readonly (readonly [header: string, expected: readonly unknown[]])[] = [
      ['', []],
      ['Bearer', [['bearer', {}]]],
      [
        `Bearer realm="${realm}",service="n",scope="${scope}"`,
        [['bearer', { realm, service: 'n', scope }]],
      ],
      [
        `bearer REALM="${realm}" , Service=n ,\tscope = "${scope}"`,
        [['bearer', { realm, service: 'n', scope }]],
      ],
      [`Bearer realm=${realm}`, [['bearer', { realm }]]],
      [
        'Bearer realm="a", error="insufficient_scope"',
        [['bearer', { realm: 'a', error: 'insufficient_scope' }]],
      ],
      [
        'Basic realm="a", Bearer realm="b",service="c"',
        [
          ['basic', { realm: 'a' }],
          ['bearer', { realm: 'b', service: 'c' }],
        ],
      ],
      [
        'Bearer realm="b",service="c", Basic realm=a',
        [
          ['bearer', { realm: 'b', service: 'c' }],
          ['basic', { realm: 'a' }],
        ],
      ],
      [
        'Negotiate, Basic realm="a"',
        [
          ['negotiate', {}],
          ['basic', { realm: 'a' }],
        ],
      ],
      [
        'Negotiate YII/a+b==, Bearer realm="a"',
        [
          ['negotiate', {}],
          ['bearer', { realm: 'a' }],
        ],
      ],
      [
        'NTLM TlRMTVNTUA, NTLM',
        [
          ['ntlm', {}],
          ['ntlm', {}],
        ],
      ],
      ['Basic realm="say \\"a\\", b\\\\c"', [['basic', { realm: 'say "a", b\\c' }]]],
      ['Basic realm=""', [['basic', { realm: '' }]]],
      ['Bearer realm="a",realm="b"', [['bearer', { realm: 'b' }]]],
      [', Bearer realm="a"', [['bearer', { realm: 'a' }]]],
      ['Bearer realm="a",', [['bearer', { realm: 'a' }]]],
      ['Bearer realm="a" scope="b"', [['bearer', { realm: 'a', scope: 'b' }]]],
    ];
    for (const [header, expected] of cases) t.same(read(header), expected, header);
  });

  t.test('that cannot be read end the list', async (t) => {
    t.same(read('Bearer realm="a'), [['bearer', {}]]);
    t.same(read('Bearer realm='), [['bearer', {}]]);
    t.same(read('Basic realm="a", "Bearer" realm="b"'), [['basic', { realm: 'a' }]]);
    t.same(read('realm="a"'), []);
    t.same(read('<html>'), []);
  });

  t.test('are read back as they were written, in any of the ways to write them', async () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,6}$/);
    const space = fc.constantFrom('', ' ', ' \t');
    // Without what needs quotes; `a ==` would be a scheme with something else than parameters.
    const bare = fc.stringMatching(/^[A-Za-z0-9:/?&._-][A-Za-z0-9:/?&=._-]{0,8}$/);
    const quoted = fc.string({ unit: 'grapheme-ascii', maxLength: 12 });
    const value = fc.oneof(
      bare.map((value) => ({ value, written: value })),
      quoted.map((value) => ({ value, written: `"${value.replace(/["\\]/g, '\\$&')}"` })),
    );
    const parameter = fc
      .tuple(word, value, space, space, fc.boolean())
      .map(([name, { value, written }, before, after, isLoud]) => ({
        entry: [name, value] as const,
        written: `${isLoud ? name.toUpperCase() : name}${before}=${after}${written}`,
      }));
    const parameters = fc.uniqueArray(parameter, {
      selector: ({ entry }) => entry[0],
      maxLength: 4,
    });
    const challenge = fc.tuple(word, parameters, space).map(([scheme, parameters, space]) => ({
      parsed: [scheme, Object.fromEntries(parameters.map(({ entry }) => entry))] as const,
      written: [scheme, parameters.map(({ written }) => written).join(`${space},${space}`)]
        .filter((part) => part !== '')
        .join(' '),
    }));
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
        const header = challenges.map(({ written }) => written).join(', ');
        assert.deepEqual(
          read(header),
          challenges.map(({ parsed }) => [...parsed]),
          header,
        );
      }),
      runs(2000),
    );
  });

  t.test('never throw nor hang', async (t) => {
    const piece = fc.constantFrom(
      'Bearer',
      'a',
      '=',
      '"',
      '\\',
      ',',
      ' ',
      '\t',
      '\n',
      'realm="x"',
      '\0',
      'é',
    );
    const header = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(header, (header) => {
        for (const { scheme, parameters } of parseChallenges(header)) {
          assert.match(scheme, /^[^\sA-Z,="]+$/);
          for (const name of parameters.keys()) assert.match(name, /^[^\sA-Z,="]+$/);
        }
      }),
      runs(500),
    );
    const long = 20_000;
    const start = performance.now();
    for (const part of [
      'a',
      ' ',
      ',',
      '"',
      '=',
      '\\',
      'a ',
      'a,',
      'a=',
      'a="',
      'a=b,',
      'a=b ',
      '\\"',
      ', ',
      '" ',
    ]) {
      for (const [before, after] of [
        ['', ''],
        ['Bearer ', '!'],
        ['Bearer a="', ''],
        ['Bearer a', '='],
        ['B a=', '"'],
      ]) {
        parseChallenges(`${before ?? ''}${part.repeat(long)}${after ?? ''}`);
      }
    }
    t.ok(performance.now() - start < 20_000, `${performance.now() - start} ms`);
  });
});
