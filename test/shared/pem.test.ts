import fc from 'fast-check';
import t from 'tap';
import { formatPem, readPem } from '../../src/shared/pem.ts';

const block = (label: string, body: string) =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

t.test('a PEM text is read', (t) => {
  const { blocks, unended } = readPem(
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
  t.same(unended, []);
  t.same(readPem(''), { blocks: [], unended: [] });
  t.end();
});

t.test('a block that does not end is told, and hides no other', (t) => {
  const labels = (text: string) => {
    const { blocks, unended } = readPem(text);
    return [blocks.map(({ label }) => label), unended];
  };
  const begin = '-----BEGIN A-----\n';
  t.same(labels(`${begin}AQID\n`), [[], ['A']]);
  t.same(labels(`${begin}AQID\n${block('B', 'AQID')}`), [['B'], ['A']]);
  t.same(labels(`${begin}-----END B-----\n${block('C', 'AQID')}`), [['C'], ['A']]);
  t.same(labels(`-----END A-----\n${block('B', 'AQID')}`), [['B'], []]);
  t.same(labels('x-----BEGIN A-----\nAQID\n-----END A-----\n'), [[], []]);
  t.end();
});

t.test('a block that is written is read as it was, by any line ends', (t) => {
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
          read.unended.length === 0 &&
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
  t.end();
});
