import fc from 'fast-check';
import t from 'tap';
import { formatPem, readPem } from '../../../src/shared/pem.ts';
import { runs } from '../../support/runs.ts';

const block = (label: string, body: string) =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

t.test('a PEM text is read', async (t) => {
  const { blocks, damaged } = readPem(
    `before\n${block('A KEY', 'role: x\nPath: a:b \n\nAQID\nBAUG\n')}between\n${block('B', 'Bw==')}`,
  );
  t.same(
    blocks.map(({ label, headers, bytes }) => [label, [...headers], [...bytes]]),
    [
      [
        'A KEY',
        [
          ['role', 'x'],
          ['Path', 'a:b'],
        ],
        [1, 2, 3, 4, 5, 6],
      ],
      ['B', [], [7]],
    ],
  );
  t.same(damaged, []);
  t.same(readPem(''), { blocks: [], damaged: [] });
});

t.test('a block that is not whole is told, with its line, and hides no other', async (t) => {
  const labelsAndDamage = (text: string) => {
    const { blocks, damaged } = readPem(text);
    return [
      blocks.map(({ label }) => label),
      damaged.map(({ label, line, what }) => `${line}: ${label} ${what}`),
    ];
  };
  const begin = '-----BEGIN A-----\n';
  t.same(labelsAndDamage(`${begin}AQID\n`), [[], ['1: A has no end']]);
  t.same(labelsAndDamage(`${begin}AQID\n${block('B', 'AQID')}`), [['B'], ['1: A has no end']]);
  t.same(labelsAndDamage(`\n\n${begin}-----END B-----\n${block('C', 'AQID')}`), [
    ['C'],
    ['3: A ends as B'],
  ]);
  t.same(labelsAndDamage(`-----END A-----\n${block('B', 'AQID')}`), [['B'], []]);
  t.same(labelsAndDamage(`${block('B', 'AQID')}${block('A', 'AQ\u2014ID')}`), [
    ['B'],
    ['4: A holds the character U+2014, which is no base64'],
  ]);
});

t.test('a block is read in every way in which people hand it on', async (t) => {
  const bytes = Buffer.from('3082000401020304', 'hex');
  const plain = formatPem({ label: 'A KEY', headers: new Map(), bytes });
  const base64 = bytes.toString('base64');
  const texts = {
    'line ends of Windows': plain.replaceAll('\n', '\r\n'),
    'a byte order mark': `\ufeff${plain}`,
    'no line ends': plain.replaceAll('\n', ''),
    'blanks for line ends': plain.replaceAll('\n', ' '),
    'literal line ends': plain.replaceAll('\n', '\\n'),
    'literal line ends of Windows': plain.replaceAll('\n', '\\r\\n'),
    JSON: JSON.stringify({ key: plain }),
    'indented lines': plain.replace(/^/gm, '    '),
    'a comment': plain.replace(base64, `# mine\n${base64}`),
    'another end': plain.replace('END A', 'END B'),
    'one beside another': plain.trimEnd() + plain,
  };
  for (const [what, text] of Object.entries(texts)) {
    const { blocks, damaged } = readPem(text);
    t.same(damaged, [], what);
    t.same(blocks[0]?.bytes, bytes, what);
  }
  const own = (text: string) => readPem(text).blocks.map(({ hasOwnLines }) => hasOwnLines);
  t.same(own(plain + plain), [true, true]);
  t.same(own(` ${plain.replaceAll('\n', ' \r\n')}`), [true]);
  t.same(
    own(plain.trimEnd() + plain),
    [false, false],
    'Go reads no blocks that are glued together',
  );
});

t.test('any text is read in time that grows with its length alone', async (t) => {
  const edges = fc.constantFrom(
    '-----BEGIN A-----',
    '-----END A-----',
    '-----END B-----',
    '-',
    '\n',
  );
  const others = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.base64String());
  fc.assert(
    fc.property(fc.array(fc.oneof(edges, edges, others)), (parts) => {
      const text = parts.join('');
      const { blocks, damaged } = readPem(text);
      const begins = text.split('-----BEGIN A-----').length - 1;
      return blocks.length + damaged.length <= begins;
    }),
    runs(500),
  );
  const length = 1024 * 1024;
  for (const part of [
    '-----BEGIN A-----',
    '-----BEGIN A-----\n-----END A-----\n',
    '-----BEGIN ',
    '-',
    ' ',
    'a:',
    '\\n',
  ]) {
    const start = performance.now();
    readPem(`-----BEGIN A-----\n${part.repeat(length / part.length)}`);
    t.ok(performance.now() - start < 2000, JSON.stringify(part));
  }
});

t.test('a block that is written is read as it was, by any line ends', async (t) => {
  const anyBlock = fc.record({
    label: fc.constantFrom('CERTIFICATE', 'ENCRYPTED PRIVATE KEY', 'X509 CRL'),
    bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(
      fc.array(anyBlock, { maxLength: 5 }),
      fc.constantFrom('\n', '\r\n', '\r', ' \n\n'),
      (blocks, lineEnd) => {
        const text = blocks.map((block) => formatPem({ ...block, headers: new Map() })).join('');
        const read = readPem(text.replaceAll('\n', lineEnd));
        return (
          read.damaged.length === 0 &&
          read.blocks.length === blocks.length &&
          read.blocks.every(
            ({ label, bytes }, i) => label === blocks[i]?.label && blocks[i].bytes.equals(bytes),
          )
        );
      },
    ),
  );
  t.match(
    formatPem({ label: 'A', headers: new Map(), bytes: Buffer.alloc(60) }),
    /\nA{64}\nA{16}\n/,
  );
});
