import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { readCaFile, readSigningSecret } from '../../../../src/sidecar/keys/secret-directory.ts';
import { makeKeyDirectory } from '../../../support/private-key.ts';

const { directory, run, opensslKey } = makeKeyDirectory();
const { file: key } = opensslKey('ca', ['ec_paramgen_curve:P-256']);
const certificate = (name: string, ...options: readonly string[]) =>
  run('openssl', ['req', '-x509', '-key', key, '-subj', `/CN=${name}`, ...options]);
const [a, b] = [certificate('a'), certificate('b')];
writeFileSync(join(directory, 'a.pem'), a);
const trusted = run('openssl', [
  ...['x509', '-in', join(directory, 'a.pem'), '-trustout', '-addreject', 'serverAuth'],
]);

const caFile = join(directory, 'ca.crt');
const read = (text: string | Buffer) => {
  writeFileSync(caFile, text);
  return readCaFile(caFile);
};

t.test(
  'CA certificates are handed on as OpenSSL reads them, however they are written',
  async (t) => {
    const both = `${a}${b}`;
    for (const [what, text] of Object.entries({
      'as they are': both,
      'with text around': run('openssl', ['x509', '-in', join(directory, 'a.pem'), '-text']) + b,
      'with a byte order mark': `\ufeff${both}`,
      'with the line ends of Windows': both.replaceAll('\n', '\r\n'),
      'without line ends': both.replaceAll('\n', ''),
      'with blanks for line ends': both.replaceAll('\n', ' '),
      'glued together': `${a.trimEnd()}${b}`,
      'in UTF-16': Buffer.from(`\ufeff${both}`, 'utf16le'),
      indented: both.replaceAll(/^/gm, '    '),
      'with a key beside them': `${a}${readFileSync(key, 'utf8')}${b}`,
      'by their older name': `${a.replaceAll('CERTIFICATE', 'X509 CERTIFICATE')}${b}`,
    })) {
      const pem = await read(text);
      const subjects = pem
        .split(/(?<=-----END .*-----\n)/)
        .map((block) => new X509Certificate(block).subject);
      t.same(subjects, ['CN=a', 'CN=b'], what);
      t.match(pem, /^-----BEGIN/);
      t.notMatch(pem, /PRIVATE/);
      t.equal((await readSigningSecret(directory)).ca, pem);
    }
    t.equal(await read(trusted), trusted, 'what a certificate is not trusted for is kept');
  },
);

t.test('a CA file that is broken anywhere is refused', async (t) => {
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ['', /holds no PEM certificate$/],
    [readFileSync(key, 'utf8'), /holds no PEM certificate$/],
    [`${a}${b.slice(0, 200)}`, /the certificate in line \d+ of .*ca\.crt has no end$/],
    [`${a}${b.replace(/\n[^-]{64}\n/, '\n')}`, /certificate 2 of 2 in .* cannot be read$/],
    ['-----BEGIN CERTIFICATE-----\n'.repeat(37_000), /in line 1 of .* has no end$/],
  ];
  for (const [text, message] of cases) {
    await t.rejects(read(text), { code: 'CA_INVALID', message });
    await t.rejects(readSigningSecret(directory), { code: 'CA_INVALID', message });
  }
});
