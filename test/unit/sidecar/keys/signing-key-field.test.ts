import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { readSigningSecret } from '../../../../src/sidecar/keys/secret-directory.ts';
import type { SigningKey } from '../../../../src/sidecar/tuf/publication.ts';
import { ensureInstalled } from '../../../bed/installed.ts';
import { projectDirectory } from '../../../bed/project-directory.ts';
import { openKeys } from '../../../support/private-key.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';

const FIELD = join(projectDirectory(), 'test/fixtures/field/keys');
const PASSWORD = 'password';

const home = temporaryDirectory();

/** Opens one file as a signing Secret holds it. */
async function open(content: Buffer, password: string | Buffer = PASSWORD): Promise<SigningKey> {
  const directory = mkdtempSync(join(home, 'secret-'));
  writeFileSync(join(directory, 'x.key'), content);
  writeFileSync(join(directory, 'password'), password);
  const secret = await readSigningSecret(directory);
  const { keys, unopened } = openKeys(secret.keyFiles, secret.password);
  const [key] = keys;
  if (!key || keys.length > 1 || unopened.length > 0) throw new Error('not one key');
  return key;
}

async function refusal(content: Buffer, password = PASSWORD): Promise<SigningError> {
  try {
    await open(content, password);
  } catch (error) {
    if (error instanceof SigningError) return error;
    throw error;
  }
  throw new Error('it opens');
}

/** What OpenSSL 3 has not, unless its legacy provider is loaded, by the file; and what it is called. */
const OLD: Readonly<Record<string, string>> = {
  'pbe-md5-des.key': 'pbeWithMD5AndDES-CBC',
  'pbe-sha1-rc2-40.key': 'pbeWithSHA1And40BitRC2-CBC',
  'pbe-sha1-rc4.key': 'pbeWithSHA1And128BitRC4',
  'pbes2-bf-cbc.key': 'BF-CBC',
  'pbes2-cast5-cbc.key': 'CAST5-CBC',
  'pbes2-des.key': 'DES-CBC',
  'pbes2-rc2.key': 'RC2-CBC',
  'pbes2-seed-cbc.key': 'SEED-CBC',
  'trad-des.key': 'DES-CBC',
  'trad-seed.key': 'SEED-CBC',
};

t.test('keys in every encryption and under every label', async (t) => {
  for (const name of readdirSync(FIELD).filter((file) => file.endsWith('.key'))) {
    const content = readFileSync(join(FIELD, name));
    const encryption = OLD[name];
    if (encryption === undefined) {
      t.match((await open(content)).canonicalId, /^[0-9a-f]{64}$/, name);
      if (!/PRIVATE KEY-----\n[^]*ENCRYPTED|BEGIN ENCRYPTED/.test(content.toString())) continue;
      t.match(await refusal(content, 'wrong'), { code: 'KEY_PASSWORD_WRONG' }, name);
      continue;
    }
    const message = `x.key is encrypted with ${encryption}, which the signer does not read`;
    const refused = await refusal(content);
    t.match(refused, { code: 'KEY_INVALID', message }, name);
    t.match(await refusal(content, 'wrong'), { code: 'KEY_INVALID', message }, name);

    const [command = ''] = /openssl pkcs8 .* <new file>/.exec(refused.fix) ?? [];
    const converted = join(home, name);
    const words = command
      .replace('<old file>', join(FIELD, name))
      .replace('<new file>', converted)
      .split(' ');
    const passwords = ['-passin', `pass:${PASSWORD}`, '-passout', `pass:${PASSWORD}`];
    execFileSync(words[0] ?? '', [...words.slice(1), ...passwords], { stdio: 'pipe' });
    t.ok(await open(readFileSync(converted)), `${name}: the printed command makes one that opens`);
  }
});

/** Texts in which the key is not whole, or cannot be taken for one; and what is said of them. */
const BROKEN: Readonly<Record<string, string>> = {
  'base64-twice-wrapped.key': 'it is base64 of a PEM file, encoded once too often',
  'base64-twice.key': 'it is base64 of a PEM file, encoded once too often',
  'em-dash.key': 'its BEGIN line has not five hyphens on each side',
  'five-dashes-lost.key': 'its BEGIN line has not five hyphens on each side',
};

t.test('keys in every text that people make of them', async (t) => {
  const { canonicalId } = await open(readFileSync(join(FIELD, 'texts/plain.key')));
  for (const name of readdirSync(join(FIELD, 'texts'))) {
    const content = readFileSync(join(FIELD, 'texts', name));
    const says = BROKEN[name];
    if (says === undefined) {
      t.equal((await open(content)).canonicalId, canonicalId, name);
    } else {
      const message = `x.key holds no private key: ${says}`;
      t.match(await refusal(content), { code: 'KEY_INVALID', message }, name);
    }
  }
});

t.test('the command that is printed for another kind of file makes one that opens', async (t) => {
  await ensureInstalled(['openssl', 'ssh-keygen']);
  const plain = join(home, 'source.pem');
  const run = (program: string, args: readonly string[]) =>
    execFileSync(program, args, { stdio: 'pipe' });
  const openssl = (...args: readonly string[]) => run('openssl', args);
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', plain);
  const to = ['-passout', `pass:${PASSWORD}`];
  const from = ['-passin', `pass:${PASSWORD}`];
  const der = join(home, 'key.der');
  openssl('pkcs8', '-topk8', '-nocrypt', '-in', plain, '-outform', 'DER', '-out', der);
  const p12 = join(home, 'key.p12');
  openssl('pkcs12', '-export', '-nocerts', '-inkey', plain, '-out', p12, ...to);
  const slow = join(home, 'slow.pem');
  openssl('pkcs8', '-topk8', '-iter', '5000001', '-in', plain, '-out', slow, ...to);
  const ssh = join(home, 'ssh');
  run('ssh-keygen', ['-q', '-t', 'ecdsa', '-b', '256', '-N', PASSWORD, '-f', ssh]);
  const cases: readonly (readonly [file: string, says: RegExp, answers: readonly string[]])[] = [
    [der, /it is binary \(perhaps DER\)/, to],
    [p12, /it is PKCS#12/, [...from, ...to]],
    [slow, /asks for more key derivation/, [...from, ...to]],
    [ssh, /is a key of OpenSSH/, ['-P', PASSWORD, '-N', PASSWORD]],
  ];
  for (const [file, says, answers] of cases) {
    const refused = await refusal(readFileSync(file));
    t.match(refused, { code: 'KEY_INVALID', message: says });
    const [command = ''] = /(?:openssl|ssh-keygen) .* <(?:new file|copy)>/.exec(refused.fix) ?? [];
    const made = `${file}.new`;
    writeFileSync(made, readFileSync(file), { mode: 0o600 });
    const [program = '', ...words] = command
      .replace(/<(?:old )?file>/, file)
      .replace(/<(?:new file|copy)>/, made)
      .split(' ');
    run(program, [...words, ...answers]);
    t.match((await open(readFileSync(made))).canonicalId, /^[0-9a-f]{64}$/, command);
  }
});

t.test(
  'passwords are tried without the blanks around them, as kpack does, and as they are',
  async (t) => {
    const plain = join(home, 'plain.pem');
    execFileSync('openssl', [
      ...['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', plain],
    ]);
    const encrypt = (password: Buffer) => {
      const file = join(home, 'passphrase');
      writeFileSync(file, password);
      return execFileSync('openssl', ['pkcs8', '-topk8', '-in', plain, '-passout', `file:${file}`]);
    };
    const latin1 = Buffer.from('gr\u00fcn', 'latin1');
    const cases: readonly (readonly [what: string, password: Buffer, written: Buffer])[] = [
      ['a line end', Buffer.from('pass word'), Buffer.from('pass word\n')],
      ['blanks that belong to it', Buffer.from('  pass\t '), Buffer.from('  pass\t ')],
      ['blanks alone', Buffer.from('   '), Buffer.from('   ')],
      ['letters beyond ASCII', Buffer.from('gr\u00fcn'), Buffer.from('gr\u00fcn\r\n')],
      ['bytes that are no UTF-8', latin1, latin1],
      ['the same with a line end', latin1, Buffer.concat([latin1, Buffer.from('\r\n')])],
      [
        'UTF-16 with a mark',
        Buffer.from('gr\u00fcn'),
        Buffer.from('\ufeffgr\u00fcn\r\n', 'utf16le'),
      ],
    ];
    for (const [what, password, written] of cases) {
      const key = encrypt(password);
      t.ok(await open(key, written), what);
      await t.rejects(open(key, 'wrong'), { code: 'KEY_PASSWORD_WRONG' }, what);
    }
    await t.rejects(open(encrypt(Buffer.from('another')), latin1), {
      code: 'KEY_PASSWORD_WRONG',
      message: /whose bytes are no UTF-8 and were taken as they are: it has another password/,
    });
    await t.rejects(open(encrypt(Buffer.from('another')), ''), { code: 'KEY_PASSWORD_MISSING' });
  },
);
