import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../src/shared/signing-error.ts';
import { bareKey, keyId, verifySignature } from '../../src/shared/tuf/key.ts';
import { parseChallenges } from '../../src/sidecar/challenge.ts';
import { parseReport } from '../../src/sidecar/report.ts';
import { signingKey } from '../../src/sidecar/signer.ts';
import { openKeys, type PrivateKey } from '../../src/sidecar/signing-key.ts';
import { planSigning } from '../../src/sidecar/signing-plan.ts';
import { canonical, makeKey, type KeyKind } from '../trust-repository.ts';

const HEX = 'a1'.repeat(32);

t.test('report.toml', (t) => {
  const image = (...lines: readonly string[]) => ['[image]', ...lines].join('\n');
  const tags = 'tags = ["h.test/a:1"]';
  const digest = `digest = "sha256:${HEX}"`;
  const size = 'manifest-size = 528';

  t.test('names tags, digest and size', (t) => {
    const report = { tags: ['h.test/a:1'], sha256: HEX, manifestSize: 528 };
    const whole = [
      '[build]',
      'bom = []',
      image(tags, 'image-id = "x"', digest, size),
      '[image.other]',
      'x = 1.5',
      '[extra]',
      'when = 2026-11-23T12:00:00Z',
    ].join('\r\n');
    t.same(parseReport(image(tags, digest, size)), report);
    t.same(parseReport(whole), report);
    const several = parseReport(
      image('tags = ["b", "a", "b"]', digest, 'manifest-size = 9007199254740991'),
    );
    t.same(several, { tags: ['b', 'a', 'b'], sha256: HEX, manifestSize: Number.MAX_SAFE_INTEGER });
    t.same(parseReport(`image = { ${tags}, ${digest}, ${size} }`), report);
    t.end();
  });

  t.test('that cannot be used is refused, with the reason', (t) => {
    const cases: readonly (readonly [text: string, code: string, message: RegExp])[] = [
      ['', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['image = 5', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['[[image]]', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['[Image]', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['[image', 'REPORT_INVALID', /^report.toml is not TOML: line 1, column \d+$/],
      [
        image(tags, digest, size, '= 5'),
        'REPORT_INVALID',
        /^report.toml is not TOML: line 5, column 1$/,
      ],
      [image(tags, tags), 'REPORT_INVALID', /^report.toml is not TOML: line 3/],
      ['{"image":{}}', 'REPORT_INVALID', /^report.toml is not TOML: line 1/],
      [image(digest, size), 'REPORT_WITHOUT_TAGS', /no image.tags$/],
      [image('tags = []', digest, size), 'REPORT_WITHOUT_TAGS', /no image.tags$/],
      [
        image('tags = "h.test/a:1"', digest, size),
        'REPORT_INVALID',
        /image.tags is not a list of strings$/,
      ],
      [
        image('tags = ["a", 5]', digest, size),
        'REPORT_INVALID',
        /image.tags is not a list of strings$/,
      ],
      [
        image('tags = [["a"]]', digest, size),
        'REPORT_INVALID',
        /image.tags is not a list of strings$/,
      ],
      [image(tags, size), 'REPORT_INVALID', /image.digest is not sha256:<64 hex digits>$/],
      [image(tags, 'digest = 5', size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "${HEX}"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "sha256:${HEX}0"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "sha256:${HEX.slice(1)}"`, size), 'REPORT_INVALID', /image.digest/],
      [
        image(tags, `digest = "sha256:${HEX.toUpperCase()}"`, size),
        'REPORT_INVALID',
        /image.digest/,
      ],
      [image(tags, `digest = "sha256:${HEX}\\n"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "sha512:${HEX}${HEX}"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "h.test/a@sha256:${HEX}"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, digest), 'REPORT_WITHOUT_SIZE', /no image.manifest-size$/],
      [image(tags, digest, 'manifest-size = 0'), 'REPORT_WITHOUT_SIZE', /no image.manifest-size$/],
      [
        image(tags, digest, 'manifest-size = -1'),
        'REPORT_INVALID',
        /image.manifest-size is not a number of bytes$/,
      ],
      [image(tags, digest, 'manifest-size = 1.5'), 'REPORT_INVALID', /image.manifest-size/],
      [image(tags, digest, 'manifest-size = inf'), 'REPORT_INVALID', /image.manifest-size/],
      [image(tags, digest, 'manifest-size = nan'), 'REPORT_INVALID', /image.manifest-size/],
      [image(tags, digest, 'manifest-size = "528"'), 'REPORT_INVALID', /image.manifest-size/],
      [
        image(tags, digest, 'manifest-size = 9223372036854775807'),
        'REPORT_INVALID',
        /^report.toml/,
      ],
    ];
    for (const [text, code, message] of cases) {
      t.throws(() => parseReport(text), { name: 'SigningError', code, message }, text);
    }
    t.end();
  });
  t.end();
});

t.test('the signing plan', (t) => {
  const plan = (tags: readonly string[], allowed: readonly string[] = []) =>
    planSigning({ tags, sha256: HEX, manifestSize: 528 }, allowed).map(({ gun, targets }) => {
      for (const { sha256, length } of targets) assert.deepEqual([sha256, length], [HEX, 528]);
      return `${gun} ${targets.map(({ tag }) => tag).join(' ')}`;
    });

  t.test('groups tags by repository, each once, in the order of the report', (t) => {
    t.same(plan(['h.test/b:2', 'h.test/a:1', 'h.test/b:1']), ['h.test/b 2 1', 'h.test/a 1']);
    t.same(plan(['h.test/a:1', 'h.test/a:1', 'h.test/a:2']), ['h.test/a 1 2']);
    t.same(plan(['app', 'app:latest', 'docker.io/library/app', 'index.docker.io/app:v1']), [
      'docker.io/library/app latest v1',
    ]);
    t.same(plan(['h.test/a:1', 'h.test:443/a:1', 'H.test/a:1']), [
      'h.test/a 1',
      'h.test:443/a 1',
      'H.test/a 1',
    ]);
    t.end();
  });

  t.test('takes no tag but those of the Build', (t) => {
    t.same(plan(['h.test/a:1'], ['h.test/a:1', 'h.test/a:2']), ['h.test/a 1']);
    t.same(plan(['app'], ['docker.io/library/app:latest']), ['docker.io/library/app latest']);
    t.same(plan(['index.docker.io/library/app:latest'], ['app']), ['docker.io/library/app latest']);
    const cases: readonly (readonly [tags: string[], allowed: string[], message: string])[] = [
      [
        ['h.test/a:1', 'h.test/a:2', 'h.test/b:1'],
        ['h.test/a:1'],
        'the report names h.test/a:2, h.test/b:1; the Build has h.test/a:1',
      ],
      [['h.test/a'], ['h.test/a:1'], 'the report names h.test/a:latest; the Build has h.test/a:1'],
      [
        ['app'],
        ['h.test/app', 'x/app'],
        'the report names docker.io/library/app:latest; the Build has h.test/app:latest, docker.io/x/app:latest',
      ],
    ];
    for (const [tags, allowed, message] of cases) {
      t.throws(() => plan(tags, allowed), { code: 'TAG_NOT_ALLOWED', message });
    }
    t.throws(() => plan(['h.test/A:1']), { code: 'IMAGE_REFERENCE_INVALID' });
    t.throws(() => plan(['h.test/a:1'], ['h.test/A:1']), { code: 'IMAGE_REFERENCE_INVALID' });
    t.throws(() => plan([`h.test/a:1@sha256:${HEX}`]), { code: 'IMAGE_REFERENCE_INVALID' });
    t.end();
  });
  t.end();
});

t.test('challenges of a server', (t) => {
  const read = (header: string) =>
    parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);

  t.test('are read in every form that servers write', (t) => {
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
      ['Basic realm="say \\"a\\", b\\\\c"', [['basic', { realm: 'say "a", b\\c' }]]],
      ['Basic realm=""', [['basic', { realm: '' }]]],
      ['Bearer realm="a",realm="b"', [['bearer', { realm: 'b' }]]],
      [', Bearer realm="a"', [['bearer', { realm: 'a' }]]],
      ['Bearer realm="a",', [['bearer', { realm: 'a' }]]],
      ['Bearer realm="a" scope="b"', [['bearer', { realm: 'a', scope: 'b' }]]],
    ];
    for (const [header, expected] of cases) t.same(read(header), expected, header);
    t.end();
  });

  t.test('that cannot be read end the list', (t) => {
    t.same(read('Bearer realm="a'), [['bearer', {}]]);
    t.same(read('Bearer realm='), [['bearer', {}]]);
    t.same(read('Basic realm="a", "Bearer" realm="b"'), [['basic', { realm: 'a' }]]);
    t.same(read('realm="a"'), []);
    t.same(read('<html>'), []);
    t.end();
  });

  t.test('never throw nor hang', (t) => {
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
      { numRuns: 500 },
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
    t.ok(performance.now() - start < 5000, `${performance.now() - start} ms`);
    t.end();
  });
  t.end();
});

const PASSWORD = 'correct horse';
const directory = mkdtempSync(join(tmpdir(), 'signing-keys-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));

const run = (program: string, args: readonly string[], environment: Record<string, string> = {}) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: directory, ...environment },
  });
const onPath = (program: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((path) => {
    try {
      return readdirSync(path).includes(program);
    } catch {
      return false;
    }
  });

/** A private key by openssl, PKCS#8 and not encrypted, and the encrypted form of it. */
function opensslKey(name: string, options: readonly string[], algorithm = 'EC') {
  const file = join(directory, `${name}.pem`);
  run('openssl', [
    'genpkey',
    '-algorithm',
    algorithm,
    ...options.flatMap((option) => ['-pkeyopt', option]),
    '-out',
    file,
  ]);
  const encrypt = (...more: readonly string[]) =>
    run('openssl', ['pkcs8', '-topk8', '-in', file, '-passout', `pass:${PASSWORD}`, ...more]);
  return { file, plain: readFileSync(file, 'utf8'), encrypt };
}

/** The headers that Notary puts into the PEM block of a key. */
const withHeaders = (pem: string, ...headers: readonly string[]) =>
  pem.replace(/^(-----BEGIN .*-----\n)/m, `$1${headers.map((line) => `${line}\n`).join('')}\n`);

/** The key id of a plain private key, computed apart from what is tested. */
function idOf(pem: string): string {
  const key = bareKey(createPublicKey(pem));
  const json = { keytype: key.keytype, keyval: { private: null, public: key.public } };
  return createHash('sha256').update(canonical(json)).digest('hex');
}

const open = (pem: string, password?: string) => openKeys([{ name: 'x.key', pem }], password);
const only = (keys: readonly PrivateKey[]): PrivateKey => {
  const [key] = keys;
  if (!key || keys.length > 1) throw new Error(`${keys.length} keys`);
  return key;
};

t.test('private keys', (t) => {
  const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);
  const p384 = opensslKey('p384', ['ec_paramgen_curve:P-384']);
  const rsa = opensslKey('rsa', ['rsa_keygen_bits:2048'], 'RSA');
  const rsa1024 = opensslKey('rsa1024', ['rsa_keygen_bits:1024'], 'RSA');
  const ed25519 = opensslKey('ed25519', [], 'ED25519');

  t.test('by openssl are opened, encrypted or not, with and without the headers of Notary', (t) => {
    const keys = { p256, p384, rsa, ed25519 };
    const methods = { p256: 'ecdsa', p384: 'ecdsa', rsa: 'rsapss', ed25519: 'eddsa' };
    const types = { p256: 'ecdsa', p384: 'ecdsa', rsa: 'rsa', ed25519: 'ed25519' };
    for (const [name, { plain, encrypt }] of Object.entries(keys)) {
      const id = idOf(plain);
      const encrypted = encrypt();
      const forms = {
        plain,
        'plain with headers': withHeaders(plain, 'role: alice'),
        encrypted,
        'encrypted with headers': withHeaders(encrypted, 'gun: h.test/a', 'role: targets'),
        'with all headers of an export': withHeaders(
          encrypted,
          'gun: h.test/a',
          `path: ${id}`,
          'role: targets',
        ),
        'with the line ends of Windows': withHeaders(encrypted, 'role: alice').replaceAll(
          '\n',
          '\r\n',
        ),
        'without the blank line': withHeaders(encrypted, 'role: alice').replace(
          'alice\n\n',
          'alice\n',
        ),
        'as notary encrypts': withHeaders(
          encrypt('-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA1'),
          'role: alice',
        ),
        'amid other text': `a note\n${withHeaders(encrypted, 'role: alice')}\nmore\n`,
      };
      for (const [what, pem] of Object.entries(forms)) {
        const key = only(open(pem, PASSWORD));
        t.equal(key.canonicalId, id, `${name} ${what}`);
        t.equal(key.method, methods[name as 'p256']);
        t.equal(key.publicKey.keytype, types[name as 'p256']);
        t.equal(keyId(key.publicKey), id);
        t.equal(key.file, 'x.key');
        t.equal(key.key.type, 'private');
      }
      t.equal(only(open(plain)).canonicalId, id, `${name} without a password`);
    }
    t.end();
  });

  t.test('in the older forms of openssl', (t) => {
    const id = idOf(p256.plain);
    const sec1 = run('openssl', ['ec', '-in', p256.file]);
    t.match(sec1, /BEGIN EC PRIVATE KEY/);
    const legacy = run('openssl', [
      'ec',
      '-in',
      p256.file,
      '-aes256',
      '-passout',
      `pass:${PASSWORD}`,
    ]);
    t.match(legacy, /DEK-Info: AES-256-CBC/);
    const rsaLegacy = run('openssl', [
      'rsa',
      '-traditional',
      '-in',
      rsa.file,
      '-aes256',
      '-passout',
      `pass:${PASSWORD}`,
    ]);
    t.match(rsaLegacy, /BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info/);
    t.equal(only(open(sec1)).canonicalId, id);
    t.equal(only(open(withHeaders(sec1, 'role: root'))).canonicalId, id);
    t.equal(only(open(legacy, PASSWORD)).canonicalId, id);
    t.equal(
      only(open(legacy.replace(/(DEK-Info.*\n)/, '$1role: root\n'), PASSWORD)).canonicalId,
      id,
    );
    t.equal(only(open(rsaLegacy, PASSWORD)).canonicalId, idOf(rsa.plain));
    t.throws(() => open(legacy), { code: 'KEY_PASSWORD_MISSING' });
    t.throws(() => open(legacy, 'wrong'), { code: 'KEY_PASSWORD_WRONG' });
    t.end();
  });

  const skip = !onPath('notary') && !onPath('docker') && 'neither notary nor docker is installed';
  t.test('by the notary and docker CLIs, as they wrote them', { skip }, (t) => {
    const files: { readonly path: string; readonly from: string }[] = [];
    const collect = (from: string, path: string) => {
      for (const name of readdirSync(path)) files.push({ path: join(path, name), from });
    };
    if (onPath('notary')) {
      const home = join(directory, 'notary');
      const phrases = ['ROOT', 'TARGETS', 'SNAPSHOT', 'DELEGATION'].map((role) => [
        `NOTARY_${role}_PASSPHRASE`,
        PASSWORD,
      ]);
      const environment = Object.fromEntries(phrases) as Record<string, string>;
      for (const role of ['root', 'alice']) {
        run('notary', ['-d', home, 'key', 'generate', 'ecdsa', '--role', role], environment);
      }
      run('notary', ['-d', home, 'key', 'import', rsa.file, '--role', 'bob'], environment);
      collect('notary', join(home, 'private'));
    }
    if (onPath('docker')) {
      const home = join(directory, 'docker');
      mkdirSync(home);
      const environment = {
        DOCKER_CONFIG: home,
        DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: PASSWORD,
      };
      run('docker', ['trust', 'key', 'generate', 'carol', '--dir', home], environment);
      collect('docker', join(home, 'trust', 'private'));
    }
    const opened = files.map(({ path, from }) => {
      const pem = readFileSync(path, 'utf8');
      t.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n(.*\n)*role: \w+\n\n/, from);
      const key = only(open(pem, PASSWORD));
      t.equal(
        `${key.canonicalId}.key`,
        path.split('/').at(-1),
        `${from}: the file is named after the key`,
      );
      t.throws(() => open(pem, 'wrong'), { code: 'KEY_PASSWORD_WRONG' }, from);
      t.throws(() => open(pem), { code: 'KEY_PASSWORD_MISSING' }, from);
      return { name: path, pem };
    });
    t.equal(openKeys(opened, PASSWORD).length, opened.length, 'all of them at once');
    t.end();
  });

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
          open(pem, `wrong ${i}`);
          t.fail(`wrong ${i} opens it`);
        } catch (error) {
          if (!(error instanceof SigningError) || error.code !== 'KEY_PASSWORD_WRONG') throw error;
        }
      }
    }
    t.equal(only(open(fast, PASSWORD)).canonicalId, idOf(p256.plain));
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
      t.throws(() => open(pem, password), { name: 'SigningError', code, message }, what);
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
        open(pem, password);
        t.fail('it was opened');
      } catch (error) {
        const { message, fix } = error as SigningError;
        t.notMatch(`${message} ${fix}`, /hush-hush/);
        t.notMatch(`${message} ${fix}`, pem.split('\n')[1] ?? '');
      }
    }
    t.end();
  });

  t.test('are counted once, whatever files they are in', (t) => {
    const files = [
      { name: 'a.key', pem: p256.plain },
      { name: 'b.key', pem: withHeaders(p256.encrypt(), 'role: alice') },
      { name: 'c.key', pem: p384.plain },
    ];
    t.same(
      openKeys(files, PASSWORD).map(({ canonicalId }) => canonicalId),
      [idOf(p256.plain), idOf(p384.plain)],
    );
    const bundle = files.map(({ pem }) => pem).join('');
    t.equal(open(bundle, PASSWORD).length, 2);
    t.equal(
      open(
        `${withHeaders(p256.encrypt(), 'role: a')}${withHeaders(rsa.encrypt(), 'role: b')}`,
        PASSWORD,
      ).length,
      2,
    );
    t.end();
  });
  t.end();
});

t.test('signatures', (t) => {
  const opened = (kind: KeyKind) => {
    const pem = makeKey(kind).privateKey.export({ type: 'pkcs8', format: 'pem' });
    return only(open(pem.toString()));
  };
  const bytes: readonly (readonly [
    kind: KeyKind,
    method: string,
    length: number,
    rounds: number,
  ])[] = [
    ['p256', 'ecdsa', 64, 200],
    ['p384', 'ecdsa', 96, 20],
    ['p521', 'ecdsa', 132, 20],
    ['rsa2048', 'rsapss', 256, 3],
    ['ed25519', 'eddsa', 64, 20],
  ];

  t.test('verify, in the form and width that Notary reads', async (t) => {
    for (const [kind, method, length, rounds] of bytes) {
      const key = opened(kind);
      const { signer, canonicalId, publicKey } = signingKey(key);
      t.equal(key.method, method);
      t.equal(canonicalId, key.canonicalId);
      for (let i = 0; i < rounds; i += 1) {
        const message = Buffer.from(`{"n":${i},"text":"ü${'x'.repeat(i * 7)}"}`);
        const signature = await signer.sign(message);
        assert.equal(signature.length, length, kind);
        assert.ok(verifySignature(publicKey, method, message, signature), `${kind} ${i}`);
        message[0] = 0;
        assert.ok(!verifySignature(publicKey, method, message, signature));
      }
      t.pass(`${kind}: ${rounds} of ${length} bytes`);
    }
  });

  t.test('are over the very bytes, as many at once as wanted', async (t) => {
    const { signer, publicKey } = signingKey(opened('p256'));
    const whole = Buffer.from('before|message|after');
    const message = whole.subarray(7, 14);
    const signatures = await Promise.all(Array.from({ length: 5 }, () => signer.sign(message)));
    for (const signature of signatures) {
      t.ok(verifySignature(publicKey, 'ecdsa', Buffer.from('message'), signature));
    }
    t.ok(verifySignature(publicKey, 'ecdsa', Buffer.alloc(0), await signer.sign(new Uint8Array())));
  });

  t.test('by a key that openssl made and encrypted', async (t) => {
    const file = join(directory, 'late.pem');
    writeFileSync(
      file,
      run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']),
    );
    const pem = run('openssl', ['pkcs8', '-topk8', '-in', file, '-passout', `pass:${PASSWORD}`]);
    const key = signingKey(only(open(withHeaders(pem, 'role: alice'), PASSWORD)));
    const message = Buffer.from('message');
    t.ok(verifySignature(key.publicKey, key.method, message, await key.signer.sign(message)));
  });
  t.end();
});
