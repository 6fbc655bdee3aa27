import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeKeyDirectory, openPem, PASSWORD } from '../../../support/private-key.ts';

t.test('a file that is no key is called what it is', async (t) => {
  const { directory, run, opensslKey } = makeKeyDirectory();
  const { file, plain } = opensslKey('p256', ['ec_paramgen_curve:P-256']);
  const path = (name: string) => join(directory, name);
  const read = (name: string) => readFileSync(path(name), 'utf8');
  const request = ['req', '-key', file, '-subj', '/CN=x'];
  run('openssl', [
    'pkcs8',
    '-topk8',
    '-nocrypt',
    '-in',
    file,
    '-outform',
    'DER',
    '-out',
    path('der'),
  ]);
  run('openssl', [
    'pkcs12',
    '-export',
    '-nocerts',
    '-inkey',
    file,
    '-passout',
    'pass:x',
    '-out',
    path('p12'),
  ]);
  const block = (label: string) => `-----BEGIN ${label}-----\nMIIB\n-----END ${label}-----\n`;
  const files: readonly (readonly [what: string, text: string, says: string, fix?: RegExp])[] = [
    ['nothing', '', 'it is empty'],
    ['white space', ' \n\ufeff\n', 'it is empty'],
    ['a certificate', run('openssl', [...request, '-x509']), 'it holds a certificate'],
    ['a request', run('openssl', [...request, '-new']), 'it holds a certificate request'],
    ['a public key', run('openssl', ['pkey', '-in', file, '-pubout']), 'it holds a public key'],
    ['JSON', '{"kty":"EC"}', 'it is JSON'],
    ['prose', 'garbage', 'it is no PEM'],
    ['DER', read('der'), 'it is binary (perhaps DER)', /-inform DER/],
    ['PKCS#12', read('p12'), 'it is PKCS#12', /openssl pkcs12/],
    [
      'a public key of ssh',
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here',
      'it is a public key of OpenSSH',
    ],
    [
      'base64',
      Buffer.from(plain).toString('base64'),
      'it is base64 of a PEM file, encoded once too often',
      /encode it once/,
    ],
    [
      'no end',
      plain.replace(/-----END.*/, ''),
      'its PRIVATE KEY in line 1 has no end',
      /--from-file/,
    ],
    [
      'no end, and another end',
      plain.replace(/=*\n-----END PRIVATE/, '\n-----END RSA PRIVATE').replace(/^M/m, ''),
      'its PRIVATE KEY in line 1 ends as RSA PRIVATE KEY',
    ],
    [
      'a line of an editor',
      plain.replace(/\n([^-])/, '\n\u2026$1'),
      'its PRIVATE KEY in line 1 holds the character U+2026, which is no base64',
    ],
    [
      'dashes of an editor',
      plain.replaceAll('--', '\u2014'),
      'its BEGIN line has not five hyphens on each side',
      /five hyphens/,
    ],
    [
      'four hyphens',
      plain.replaceAll('-----', '----'),
      'its BEGIN line has not five hyphens on each side',
      /five hyphens/,
    ],
    ['a list of revoked', block('X509 CRL'), 'it holds a PEM block of another kind (X509 CRL)'],
    ['PGP', block('PGP PRIVATE KEY BLOCK'), 'it holds a key of PGP'],
    [
      'a curve',
      run('openssl', ['ecparam', '-name', 'prime256v1']),
      'it holds the name of a curve, without a key',
    ],
  ];
  for (const [what, text, says, fix = /./] of files) {
    const message = `x.key holds no private key: ${says}`;
    t.throws(() => openPem(text, PASSWORD), { code: 'KEY_INVALID', message, fix }, what);
  }
  const others: readonly (readonly [text: string, message: string, fix: RegExp])[] = [
    [block('OPENSSH PRIVATE KEY'), 'x.key is a key of OpenSSH', /ssh-keygen -p -m PKCS8/],
    [block('DSA PRIVATE KEY'), 'x.key is a DSA key', /docker trust key generate/],
    [block('ENCRYPTED SIGSTORE PRIVATE KEY'), 'x.key is a key of cosign', /key of its own/],
    [block('ENCRYPTED COSIGN PRIVATE KEY'), 'x.key is a key of cosign', /key of its own/],
    [block('ANY PRIVATE KEY'), 'x.key is a PEM block of another kind (ANY PRIVATE KEY)', /./],
  ];
  for (const [text, message, fix] of others) {
    t.throws(() => openPem(text, PASSWORD), { code: 'KEY_INVALID', message, fix }, message);
  }
});

t.test('a file of very many BEGINs takes no longer than another', async (t) => {
  const text = 'BEGIN '.repeat(20_000);
  const started = performance.now();
  t.throws(() => openPem(text, PASSWORD), { code: 'KEY_INVALID' });
  t.ok(performance.now() - started < 500, 'at once');
});
