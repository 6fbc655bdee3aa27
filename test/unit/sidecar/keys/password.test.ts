import { performance } from 'node:perf_hooks';
import t from 'tap';
import { readPassword } from '../../../../src/sidecar/keys/password.ts';

const candidatesOf = (bytes: Buffer) =>
  readPassword([bytes])?.candidates.map((each) => Buffer.from(each).toString('latin1'));

t.test('blanks around a password are cut, and those within it stay', async (t) => {
  t.same(candidatesOf(Buffer.from(' \u0085a  b\n\n')), ['a  b', ' \u00c2\u0085a  b\n\n']);
  t.same(candidatesOf(Buffer.from('\ta \xff \r\n', 'latin1')), ['a \xff', '\ta \xff \r\n']);
  t.same(candidatesOf(Buffer.from(' \n ')), ['', ' \n ']);
});

t.test('very many blanks within a password take no longer than other letters', async (t) => {
  for (const last of ['b', '\xff']) {
    const bytes = Buffer.from(`a${' '.repeat(100_000)}${last}`, 'latin1');
    const started = performance.now();
    t.equal(candidatesOf(bytes)?.length, 1);
    t.ok(performance.now() - started < 500, 'at once');
  }
});
