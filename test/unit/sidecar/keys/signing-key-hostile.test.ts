import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatPem } from '../../../../src/shared/pem.ts';
import type { SigningError } from '../../../../src/shared/signing-error.ts';
import {
  asPassword,
  canonicalIdOf,
  makeKeyDirectory,
  openKey,
  openKeys,
  openPem,
  PASSWORD,
} from '../../../support/private-key.ts';

const { directory, opensslKey, run } = makeKeyDirectory();
const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);
const id = canonicalIdOf(p256.plain);

/** The most that a Secret holds. */
const MEBIBYTE = 1024 * 1024;
/** Far above what it takes, and far below what it took with the square of the length. */
const LIMIT_MS = 2000;
const fill = (text: string) => text.repeat(Math.ceil(MEBIBYTE / text.length));

/** What it says, and how long it thought about it; milliseconds. */
function judge(...pems: readonly string[]): { readonly error: SigningError; readonly ms: number } {
  const files = pems.map((pem, i) => ({ name: `${i}.key`, pem }));
  const begun = performance.now();
  try {
    openKeys(files, asPassword(PASSWORD));
  } catch (error) {
    return { error: error as SigningError, ms: performance.now() - begun };
  }
  throw new Error('it opens');
}

t.test('a mebibyte of anything is judged at once', async (t) => {
  const begin = '-----BEGIN PRIVATE KEY-----\n';
  const end = '-----END PRIVATE KEY-----\n';
  const texts: Readonly<Record<string, string>> = {
    'begins without an end': fill(begin),
    'ends without a begin': fill(end),
    'blocks of nothing': fill(begin + end),
    'encrypted blocks of nothing': fill((begin + end).replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')),
    'blocks that end as others': fill(begin + end.replace('PRIVATE', 'PUBLIC')),
    headers: `${begin}${fill('a: b\n')}${end}`,
    'one header': `${begin}${fill('a-')}:${fill('b ')}\n${end}`,
    'one line of base64': `${begin}${fill('MIIB')}\n${end}`,
    'lines of base64': `${begin}${fill('MIIBMIIBMIIB\n')}${end}`,
    'DER within DER': `${begin}${Buffer.from(fill('0\u0082\u00ff\u00f0'), 'latin1').toString('base64')}\n${end}`,
    'short DER': `${begin}${Buffer.from(fill('0\0'), 'latin1').toString('base64')}\n${end}`,
    dashes: fill('-'),
    'a begin that does not end': `-----BEGIN ${fill('A')}`,
    'white space': fill(' '),
    'line ends': fill('\n'),
    zeros: fill('\0'),
    'dashes and spaces': fill('-----BEGIN '),
    braces: fill('{'),
  };
  for (const [what, text] of Object.entries(texts)) {
    for (const pem of [text, text.replaceAll('PRIVATE', 'EC PRIVATE')]) {
      const { error, ms } = judge(pem);
      t.match(error, { name: 'SigningError', code: /^KEY_/ }, what);
      t.ok(ms < LIMIT_MS, `${what}: ${Math.round(ms)} ms`);
    }
  }
  t.match(judge(fill(begin + end)).error, {
    code: 'KEY_INVALID',
    message: /^the signing Secret holds 19\d\d\d private keys; 100 are the most/,
    fix: /only the keys of this repository/,
  });
});

t.test('an RSA key that it would take days to sign with is refused before it signs', async (t) => {
  const number = (bytes: number) => {
    const head = Buffer.from([0x02, 0x82, bytes >> 8, bytes & 0xff, 0x7f]);
    return Buffer.concat([head, Buffer.alloc(bytes - 1, 0x55)]);
  };
  const bytes = 32_768 / 8;
  const content = Buffer.concat([
    Buffer.from([0x02, 0x01, 0x00]),
    number(bytes),
    Buffer.from([0x02, 0x03, 0x01, 0x00, 0x01]),
    number(bytes),
    ...Array.from({ length: 5 }, () => number(bytes / 2)),
  ]);
  const head = Buffer.from([0x30, 0x82, content.length >> 8, content.length & 0xff]);
  const label = 'RSA PRIVATE KEY';
  const key = formatPem({ label, headers: new Map(), bytes: Buffer.concat([head, content]) });
  const { error, ms } = judge(key);
  t.match(error, { code: 'KEY_INVALID', message: /rsa of 3276\d bits$/, fix: /to 16384 bits/ });
  t.ok(ms < LIMIT_MS, `${Math.round(ms)} ms`);
});

t.test(
  'a private number that does not fit its curve is damage, and no end of the process',
  async (t) => {
    // What OpenSSL reads, and Node aborts over when it is asked for the curve.
    const sec1 = Buffer.from(`30310201010420${'72'.repeat(32)}a00a06082a8648ce3d030101`, 'hex');
    const pkcs8 = Buffer.from(
      `303f020100301306072a8648ce3d020106082a8648ce3d03010104253023020101041e${'72'.repeat(30)}`,
      'hex',
    );
    for (const [label, bytes] of [
      ['EC PRIVATE KEY', sec1],
      ['PRIVATE KEY', pkcs8],
    ] as const) {
      const { error } = judge(formatPem({ label, headers: new Map(), bytes }));
      t.match(
        error,
        { code: 'KEY_INVALID', message: /^0\.key holds a damaged private key/ },
        label,
      );
    }
  },
);

t.test('key derivation without end is refused before it begins', async (t) => {
  const derivation = (parameters: readonly string[], name: string) => {
    const conf = join(directory, 'bomb.conf');
    const der = join(directory, 'bomb.der');
    writeFileSync(
      conf,
      [
        'asn1=SEQUENCE:info',
        ...['[info]', 'algorithm=SEQUENCE:algorithm', 'data=FORMAT:HEX,OCTETSTRING:00'],
        ...['[algorithm]', 'id=OID:PBES2', 'parameters=SEQUENCE:parameters'],
        ...['[parameters]', 'derivation=SEQUENCE:derivation', 'cipher=SEQUENCE:cipher'],
        ...['[derivation]', `id=OID:${name}`, 'parameters=SEQUENCE:values'],
        ...['[values]', 'salt=FORMAT:HEX,OCTETSTRING:00', ...parameters],
        ...['[cipher]', 'id=OID:aes-256-cbc', 'vector=OCTETSTRING:0123456789abcdef', ''],
      ].join('\n'),
    );
    run('openssl', ['asn1parse', '-genconf', conf, '-noout', '-out', der]);
    const body = run('openssl', ['base64', '-in', der]);
    return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${body}-----END ENCRYPTED PRIVATE KEY-----\n`;
  };
  const bombs: Readonly<Record<string, string>> = {
    PBKDF2: derivation(['count=INTEGER:2147483647'], 'PBKDF2'),
    'PBKDF2, one too many': derivation(['count=INTEGER:2000001'], 'PBKDF2'),
    'PBKDF2, more than a number holds': derivation([`n=INTEGER:0x${'7f'.repeat(40)}`], 'PBKDF2'),
    scrypt: derivation(
      ['n=INTEGER:32768', 'r=INTEGER:1', 'p=INTEGER:100000'],
      '1.3.6.1.4.1.11591.4.11',
    ),
  };
  for (const [what, pem] of Object.entries(bombs)) {
    const { error, ms } = judge(pem);
    t.match(
      error,
      {
        code: 'KEY_INVALID',
        message: /^0\.key asks for more key derivation than 2000000 iterations/,
        fix: /openssl pkcs8 -topk8 -iter 100000/,
      },
      what,
    );
    t.ok(ms < LIMIT_MS, `${what}: ${Math.round(ms)} ms`);
    t.equal(openPem(`${pem}${p256.encrypt()}`, PASSWORD).keys.length, 1, 'others are opened');
  }
  const old = p256.encrypt('-v1', 'PBE-SHA1-3DES', '-iter', '1000');
  t.equal(openKey(old, PASSWORD).canonicalId, id);
});

t.test('the keys of a run have one budget for derivation', async (t) => {
  const slow = p256.encrypt('-iter', '1000000');
  t.equal(openKey(slow, PASSWORD).canonicalId, id, 'a million iterations are a choice');
  const { keys, unopened } = openPem(slow.repeat(3), PASSWORD);
  t.equal(keys.length, 1);
  t.match(unopened, [{ code: 'KEY_INVALID', message: /^x\.key \(key 3 of 3\) asks for more/ }]);
});
