import t from 'tap';
import { SigningError } from '../../src/shared/signing-error.ts';
import { openKeys } from '../../src/sidecar/signing-key.ts';
import {
  canonicalIdOf,
  makeKeyDirectory,
  openKey,
  openPem,
  PASSWORD,
  withHeaders,
} from '../private-key.ts';

const { run, opensslKey } = makeKeyDirectory(t);

t.test('private keys', (t) => {
  const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);
  const rsa1024 = opensslKey('rsa1024', ['rsa_keygen_bits:1024'], 'RSA');

  t.test('with the wrong password, without one, or damaged', (t) => {
    const encrypted = withHeaders(p256.encrypt(), 'role: alice');
    // The padding of one wrong password in 256 fits by chance, and then something else is wrong.
    const fast = p256.encrypt('-iter', '1');
    for (const [pem, tries] of [
      [encrypted, 3],
      [fast, 600],
    ] as const) {
      for (let i = 0; i < tries; i += 1) {
        try {
          openPem(pem, `wrong ${i}`);
          t.fail(`wrong ${i} opens it`);
        } catch (error) {
          if (!(error instanceof SigningError) || error.code !== 'KEY_PASSWORD_WRONG') throw error;
        }
      }
    }
    t.equal(openKey(fast, PASSWORD).canonicalId, canonicalIdOf(p256.plain));
    const body = /[A-Za-z0-9+/]{64}\n/;
    const cases: readonly (readonly [
      what: string,
      pem: string,
      password: string | undefined,
      code: string,
      message: RegExp,
    ])[] = [
      ['no password', encrypted, undefined, 'KEY_PASSWORD_MISSING', /^x.key is encrypted$/],
      ['an empty password', encrypted, '', 'KEY_PASSWORD_WRONG', /^x.key cannot be decrypted/],
      [
        'another password',
        encrypted,
        PASSWORD.toUpperCase(),
        'KEY_PASSWORD_WRONG',
        /^x.key cannot be decrypted/,
      ],
      [
        'a line lost, encrypted',
        encrypted.replace(body, ''),
        PASSWORD,
        'KEY_PASSWORD_WRONG',
        /^x.key cannot be decrypted/,
      ],
      [
        'a line lost',
        p256.plain.replace(body, ''),
        PASSWORD,
        'KEY_INVALID',
        /^x.key holds no private key that OpenSSL reads$/,
      ],
      [
        'nothing between the lines',
        '-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n',
        undefined,
        'KEY_INVALID',
        /OpenSSL/,
      ],
      [
        'the end lost',
        p256.plain.replace(/-----END.*/, ''),
        undefined,
        'KEY_INVALID',
        /^x.key holds no PEM block with a private key$/,
      ],
      [
        'another end',
        p256.plain.replace('END PRIVATE', 'END RSA PRIVATE'),
        undefined,
        'KEY_INVALID',
        /no PEM block/,
      ],
      ['no PEM', 'garbage', undefined, 'KEY_INVALID', /no PEM block/],
      ['nothing', '', undefined, 'KEY_INVALID', /no PEM block/],
      [
        'a public key',
        run('openssl', ['pkey', '-in', p256.file, '-pubout']),
        undefined,
        'KEY_INVALID',
        /no PEM block/,
      ],
      [
        'RSA of 1024 bits',
        rsa1024.plain,
        undefined,
        'KEY_INVALID',
        /^x.key holds a rsa key that Notary does not accept$/,
      ],
      [
        'RSA of 1024 bits, encrypted',
        rsa1024.encrypt(),
        PASSWORD,
        'KEY_INVALID',
        /does not accept$/,
      ],
      [
        'X25519',
        opensslKey('x25519', [], 'X25519').plain,
        undefined,
        'KEY_INVALID',
        /^x.key holds a x25519 key that Notary does not accept$/,
      ],
    ];
    for (const [what, pem, password, code, message] of cases) {
      t.throws(() => openPem(pem, password), { name: 'SigningError', code, message }, what);
    }
    t.throws(() => openKeys([], PASSWORD), { code: 'KEY_MISSING' });
    const good = { name: 'good.key', pem: p256.plain };
    const bad = { name: 'bad.key', pem: 'garbage' };
    t.throws(() => openKeys([good, bad], undefined), { code: 'KEY_INVALID', message: /^bad.key/ });
    t.end();
  });

  t.test('that are wrong never say the password or the key', (t) => {
    const encrypted = p256.encrypt();
    for (const [pem, password] of [
      [encrypted, 'hush-hush'],
      [p256.plain.replace('M', 'N'), 'hush-hush'],
    ] as const) {
      try {
        openPem(pem, password);
        t.fail('it was opened');
      } catch (error) {
        const { message, fix } = error as SigningError;
        t.notMatch(`${message} ${fix}`, /hush-hush/);
        t.notMatch(`${message} ${fix}`, pem.split('\n')[1] ?? '');
      }
    }
    t.end();
  });

  t.end();
});
