import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { parseNoProxy } from '../../../../src/sidecar/http/no-proxy.ts';
import { runs } from '../../../support/runs.ts';

const bypasses = (list: string, url: string) => parseNoProxy(list).bypasses(new URL(url));

t.test('servers that no proxy leads to', async (t) => {
  const cases: readonly (readonly [list: string, url: string, isStraight: boolean])[] = [
    ['', 'https://example.com', false],
    [' , ,', 'https://example.com', false],
    ['*', 'https://example.com', true],
    ['a.test, *', 'https://example.com', true],
    ['example.com', 'https://example.com', true],
    ['example.com', 'https://www.example.com', true],
    ['example.com', 'https://myexample.com', false],
    ['example.com', 'https://example.com.evil.test', false],
    ['EXAMPLE.com', 'https://Example.COM', true],
    ['.example.com', 'https://www.example.com', true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', 'https://a.b.example.com', true],
    ['*.example.com', 'https://example.com', false],
    ['.', 'https://example.com', false],
    ['*.', 'https://example.com', false],
    ['com', 'https://example.com', true],
    ['a.test,b.test', 'https://b.test', true],
    ['a.test b.test\tc.test', 'https://c.test', true],
    ['bücher.test', 'https://www.bücher.test', true],
    ['example.com:8443', 'https://example.com:8443', true],
    ['example.com:8443', 'https://example.com', false],
    ['example.com:443', 'https://example.com', true],
    ['example.com:80', 'http://example.com', true],
    ['example.com:80', 'https://example.com', false],
    ['.example.com:443', 'https://www.example.com', true],
    [':443', 'https://example.com', false],
    ['10.1.2.3', 'https://10.1.2.3:4443', true],
    ['10.1.2.3:4443', 'https://10.1.2.3:4443', true],
    ['10.1.2.3:4443', 'https://10.1.2.3', false],
    ['10.1.2.3', 'https://10.1.2.4', false],
    ['2.3', 'https://10.1.2.3', true],
    ['fd00::1', 'https://[fd00:0::1]:4443', true],
    ['[fd00::1]', 'https://[fd00::1]', true],
    ['[fd00::1]:4443', 'https://[fd00::1]:4443', true],
    ['[fd00::1]:4443', 'https://[fd00::1]', false],
    ['fe80::1%eth0', 'https://[fe80::1]', false],
    ['10.0.0.0/8', 'https://10.255.0.1', true],
    ['10.0.0.0/8', 'https://11.0.0.1', false],
    ['10.1.2.3/8', 'https://10.255.0.1', true],
    ['0.0.0.0/0', 'https://8.8.8.8', true],
    ['0.0.0.0/0', 'https://[fd00::1]', false],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['fd00::/8', 'https://[fe80::1]', false],
    ['10.0.0.0/33', 'https://10.0.0.1', false],
    ['10.0.0.0/8', 'https://ten.example.com', false],
    ['10.0.0.0/', 'https://10.0.0.0', false],
    ['', 'https://localhost:4443', true],
    ['', 'https://127.0.0.1:4443', true],
    ['', 'https://127.9.9.9', true],
    ['', 'https://[::1]:4443', true],
    ['', 'https://[::ffff:127.0.0.1]', true],
    ['', 'https://localhost.example.com', false],
    ['', 'https://128.0.0.1', false],
  ];
  for (const [list, url, isStraight] of cases) {
    t.equal(bypasses(list, url), isStraight, `${JSON.stringify(list)} and ${url}`);
  }
});

t.test('whatever NO_PROXY is, it is read', async (t) => {
  const piece = fc.constantFrom('*', '.', ':', '[', ']', '/', '%', ',', ' ', '::', 'a', '1', 'é');
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 20 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (list) => {
      for (const url of ['https://example.com', 'https://[fd00::1]', 'http://10.0.0.1:81']) {
        assert.equal(typeof bypasses(list, url), 'boolean');
      }
    }),
    runs(1000),
  );
  t.ok(bypasses(`${'a.'.repeat(100_000)},example.com`, 'https://example.com'));
});

t.test('a block holds the addresses that begin with its bits', async () => {
  for (const [size, format] of [
    [32, ipv4],
    [128, ipv6],
  ] as const) {
    const bits = fc.bigInt({ min: 0n, max: (1n << BigInt(size)) - 1n });
    // Half of the addresses differ from the block's in its last bits alone, so that many are inside.
    const pair = fc.tuple(bits, fc.oneof(bits, fc.nat({ max: size })), fc.nat({ max: size }));
    fc.assert(
      fc.property(pair, ([base, other, prefix]) => {
        const address = typeof other === 'bigint' ? other : base ^ ((1n << BigInt(other)) >> 1n);
        const url = new URL(`https://${format(address)}`);
        if (parseNoProxy('').bypasses(url)) return; // Loopback.
        const shift = BigInt(size - prefix);
        const isInside = base >> shift === address >> shift;
        const block = `${format(base).replace(/[[\]]/g, '')}/${prefix}`;
        assert.equal(parseNoProxy(block).bypasses(url), isInside, `${block} and ${url.href}`);
      }),
      runs(2000),
    );
  }
});

t.test('a domain holds itself and what is below it, and nothing else', async () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/);
  const domain = fc.array(label, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(domain, domain, (entry, host) => {
      const url = `https://${host.join('.')}`;
      if (bypasses('', url)) return; // localhost
      const isBelow = host.slice(-entry.length).join('.') === entry.join('.');
      const isItself = isBelow && host.length === entry.length;
      assert.equal(bypasses(entry.join('.'), url), isBelow);
      assert.equal(bypasses(`.${entry.join('.')}`, url), isBelow && !isItself);
      assert.equal(bypasses(entry.join('.'), `https://a.${entry.join('.')}`), true);
      assert.equal(bypasses(entry.join('.'), `https://a${entry.join('.')}`), false);
    }),
    runs(1000),
  );
});

function ipv4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.');
}

function ipv6(bits: bigint): string {
  const hex = bits.toString(16).padStart(32, '0');
  return `[${(hex.match(/.{4}/g) ?? []).join(':')}]`;
}
