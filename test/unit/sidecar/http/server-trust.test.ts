import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Environment } from '../../../../src/sidecar/http/proxy-settings.ts';
import { readEnvironmentRoots } from '../../../../src/sidecar/http/server-trust.ts';
import { createAuthority } from '../../../bed/authority.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';

const home = temporaryDirectory();
const [a, b, c] = await Promise.all(
  ['a', 'b', 'c'].map(async (name) => {
    const { certificateFile } = await createAuthority(join(home, name));
    return (await readFile(certificateFile, 'utf8')).trim();
  }),
);
const file = (name: string) => join(home, name);

async function read(environment: Environment) {
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  const roots = await readEnvironmentRoots(environment, log);
  return { roots: roots.map((pem) => pem.trim()).sort(), warnings };
}

t.test('without the variables there is nothing', async (t) => {
  t.same(await read({}), { roots: [], warnings: [] });
  t.same(await read({ SSL_CERT_FILE: '', SSL_CERT_DIR: '' }), { roots: [], warnings: [] });
});

t.test('a file of several certificates, with words between them', async (t) => {
  await writeFile(file('bundle.pem'), `# a\n${a}\r\n# b\n${b}\n${a}\n`);
  t.same(await read({ SSL_CERT_FILE: file('bundle.pem') }), { roots: [a, b].sort(), warnings: [] });
});

t.test('directories: every file, each certificate once', async (t) => {
  for (const name of ['one', 'two', 'one/..data']) await mkdir(file(name));
  await writeFile(file('one/a.crt'), a ?? '');
  await symlink('a.crt', file('one/0badc0de.0'));
  await symlink('nowhere', file('one/dangling.0'));
  await writeFile(file('one/README'), 'no certificate\n');
  await writeFile(file('one/..data/c.crt'), c ?? '');
  await writeFile(file('two/b.pem'), b ?? '');
  const directories = `${file('one')}:${file('gone')}::${file('two')}`;
  const both = { roots: [a, b].sort(), warnings: [] };
  t.same(await read({ SSL_CERT_DIR: directories }), both);
  t.same(await read({ SSL_CERT_DIR: file('two'), SSL_CERT_FILE: file('one/a.crt') }), both);
});

t.test('a variable that gives nothing is a warning', async (t) => {
  await writeFile(file('empty.pem'), 'none\n');
  for (const name of ['gone.pem', 'empty.pem', 'a']) {
    t.same(await read({ SSL_CERT_FILE: file(name) }), {
      roots: [],
      warnings: [`SSL_CERT_FILE is ${file(name)}, and no CA certificate can be read there`],
    });
  }
  t.same(await read({ SSL_CERT_DIR: `${file('gone')}:${file('empty.pem')}` }), {
    roots: [],
    warnings: [
      `SSL_CERT_DIR is ${file('gone')}:${file('empty.pem')}, and no CA certificate can be read there`,
    ],
  });
});

t.test(
  'a certificate that cannot be used is a warning that names its file and place',
  async (t) => {
    await writeFile(file('cut.pem'), `${a}\n${b?.slice(0, 200)}`);
    const lines = a?.split('\n').length ?? 0;
    const cut = `the certificate in line ${lines + 1} of ${file('cut.pem')} has no end`;
    t.same(await read({ SSL_CERT_FILE: file('cut.pem') }), { roots: [a], warnings: [cut] });
    await writeFile(file('lost.pem'), `${a}\n${b?.replace(/\n[^-]{64}\n/, '\n')}`);
    t.same(await read({ SSL_CERT_FILE: file('lost.pem') }), {
      roots: [a],
      warnings: [`1 of the certificates in ${file('lost.pem')} cannot be read`],
    });
  },
);

t.test('certificates that are glued together are all used', async (t) => {
  await writeFile(file('glued.pem'), `${a}${b}${c}`);
  const all = { roots: [a, b, c].sort(), warnings: [] };
  t.same(await read({ SSL_CERT_FILE: file('glued.pem') }), all);
  await mkdir(file('glued'));
  await writeFile(file('glued/all.crt'), `${a}${b}${c}`);
  t.same(await read({ SSL_CERT_DIR: file('glued') }), all);
});
