/** CAs of our own and of others, by openssl as the judge. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readStoredTrust, withCa } from '../../../../src/webhook/certificates/issuing-ca.ts';
import {
  MOST_TRUSTED,
  readCaCertificates,
  trustedOf,
} from '../../../../src/webhook/certificates/ca-certificate.ts';
import { issueLeaf, makeCa } from '../../../../src/webhook/certificates/certificate-issuer.ts';
import { succeed } from '../../../bed/command.ts';

const NAMES = ['kpack-notary-webhook', 'kpack-notary-webhook.kpack-notary.svc'];
const DAY = 24 * 3600_000;
const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'];
const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

const base64 = (text: string) => Buffer.from(text).toString('base64');
const secretOf = (certificates: string, keys: string) => ({
  'ca.crt': base64(certificates),
  'ca.key': base64(keys),
});

interface Foreign {
  readonly subject?: string;
  readonly mask?: string;
  readonly extensions?: readonly string[];
  readonly key?: readonly string[];
}

/** A certificate that openssl signs by itself, and its key. */
async function foreign(t: Test, options: Foreign): Promise<{ cert: string; key: string }> {
  const { subject = '/CN=foreign', mask = 'default', extensions = CA, key = P256 } = options;
  const directory = t.testdir({
    cnf: `[req]\ndistinguished_name = dn\nstring_mask = ${mask}\n[dn]\n`,
  });
  const args = ['req', '-x509', '-config', 'cnf', '-days', '30', '-nodes', '-utf8', '-sha256'];
  const files = ['-subj', subject, '-keyout', 'key', '-out', 'cert'];
  const added = extensions.flatMap((extension) => ['-addext', extension]);
  await succeed({ program: 'openssl', args: [...args, ...key, ...files, ...added], directory });
  const [cert, keyText] = await Promise.all(
    ['cert', 'key'].map((file) => readFile(join(directory, file), 'utf8')),
  );
  return { cert: cert ?? '', key: keyText ?? '' };
}

/** What openssl says, in its strictest mode, to a leaf for a client that trusts one certificate. */
async function verified(t: Test, ca: string, leaf: string): Promise<string> {
  const directory = t.testdir();
  await writeFile(join(directory, 'ca'), ca);
  await writeFile(join(directory, 'leaf'), leaf);
  const host = ['-verify_hostname', NAMES[1] ?? ''];
  const args = [
    'verify',
    '-x509_strict',
    '-purpose',
    'sslserver',
    ...host,
    '-CAfile',
    'ca',
    'leaf',
  ];
  return succeed({ program: 'openssl', args, directory });
}

t.test('what we issue stands before openssl in its strictest mode', async (t) => {
  const authority = await makeCa(Date.now());
  const leaf = await issueLeaf(authority, NAMES, Date.now());
  t.equal(await verified(t, authority.pem, leaf.cert), 'leaf: OK\n');
  t.ok(Math.abs(authority.ends - Date.now() - 365 * DAY) < DAY);
  t.ok(leaf.begins < Date.now() - 20 * 3600_000, 'for clocks that are behind');
});

t.test('a leaf does not outlive its CA', async (t) => {
  const authority = await makeCa(Date.now() - 364 * DAY);
  const leaf = await issueLeaf(authority, NAMES, Date.now());
  t.equal(leaf.ends, authority.ends);
});

t.test('a CA of somebody else issues, however it writes its name', async (t) => {
  for (const options of [
    { subject: '/CN=hello world/emailAddress=a@b.example/O=Ä Ö' },
    { subject: '/C=DE/O=Müller & Söhne/CN=x', mask: 'utf8only' },
    { subject: '/CN=x*y/OU=_', mask: 'pkix' },
    { subject: '/CN=UPPER and  double  spaces/DC=example', mask: 'nombstr' },
    { extensions: [...CA, 'subjectKeyIdentifier=none'] },
    { extensions: [...CA, 'subjectKeyIdentifier=0102030405'] },
    { extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign,digitalSignature'] },
  ]) {
    const { cert, key } = await foreign(t, options);
    const [authority] = readStoredTrust(secretOf(`# a comment\n${cert}`, key)).issuers;
    if (!authority) throw new Error(`it is none: ${JSON.stringify(options)}`);
    const leaf = await issueLeaf(authority, NAMES, Date.now());
    const strict = !JSON.stringify(options).includes('none');
    if (strict) t.equal(await verified(t, cert, leaf.cert), 'leaf: OK\n', JSON.stringify(options));
  }
});

t.test('a key that does not fit its curve is passed over', async (t) => {
  const { cert, key } = await foreign(t, {});
  const der = Buffer.from(`30310201010420${'72'.repeat(32)}a00a06082a8648ce3d030101`, 'hex');
  const unfit = `-----BEGIN EC PRIVATE KEY-----\n${der.toString('base64')}\n-----END EC PRIVATE KEY-----\n`;
  t.equal(readStoredTrust(secretOf(cert, `${unfit}${key}`)).issuers.length, 1);
});

t.test(
  'one that is limited, or may be refused for what it says of itself, issues nothing',
  async (t) => {
    for (const extension of [
      'nameConstraints=critical,permitted;DNS:example.com',
      'nameConstraints=permitted;DNS:example.com',
      'extendedKeyUsage=clientAuth',
      '1.2.3.4=critical,ASN1:NULL',
    ]) {
      const { cert, key } = await foreign(t, { extensions: [...CA, extension] });
      const [authority] = readStoredTrust(secretOf(cert, key)).issuers;
      if (!authority) throw new Error('it is none');
      await t.rejects(
        issueLeaf(authority, NAMES, Date.now()),
        /is limited by its extension/,
        extension,
      );
    }
    const harmless = [...CA, 'nsComment=hello', 'certificatePolicies=1.2.3'];
    const { cert, key } = await foreign(t, { extensions: harmless });
    const [authority] = readStoredTrust(secretOf(cert, key)).issuers;
    if (!authority) throw new Error('it is none');
    const { cert: leaf } = await issueLeaf(authority, NAMES, Date.now());
    t.equal(await verified(t, cert, leaf), 'leaf: OK\n');
  },
);

t.test('a key in the form of openssl ec is read as well', async (t) => {
  const { cert, key } = await foreign(t, {});
  const directory = t.testdir({ key });
  const args = ['pkey', '-in', 'key', '-traditional'];
  const traditional = await succeed({ program: 'openssl', args, directory });
  t.match(traditional, 'BEGIN EC PRIVATE KEY');
  t.equal(readStoredTrust(secretOf(cert, traditional)).issuers.length, 1);
});

t.test('what cannot issue is no CA, and trusted at most', async (t) => {
  const good = await foreign(t, {});
  for (const [what, options] of Object.entries({
    'an RSA key': { key: ['-newkey', 'rsa:2048'] },
    'another curve': { key: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'] },
    'no CA': { extensions: ['basicConstraints=critical,CA:FALSE'] },
    'not said to be a CA': { extensions: ['keyUsage=critical,digitalSignature'] },
    'not allowed to sign certificates': {
      extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,cRLSign'],
    },
    'without a name': { subject: '/' },
  })) {
    const { cert, key } = await foreign(t, options);
    const { issuers, certificates } = readStoredTrust(secretOf(cert, key));
    t.equal(issuers.length, 0, what);
    t.equal(certificates.length, 1, what);
  }
  const other = await foreign(t, {});
  t.equal(readStoredTrust(secretOf(good.cert, other.key)).issuers.length, 0, 'another key');
  const changed = Buffer.from(good.cert.split('\n').slice(1, -2).join(''), 'base64');
  changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1);
  const pem = `-----BEGIN CERTIFICATE-----\n${changed.toString('base64')}\n-----END CERTIFICATE-----\n`;
  t.equal(readStoredTrust(secretOf(pem, good.key)).issuers.length, 0, 'a wrong signature');
  for (const garbage of ['', 'x', '-----BEGIN CERTIFICATE-----', '\u0000'.repeat(1000)]) {
    t.same(readStoredTrust(secretOf(garbage, garbage)), { issuers: [], certificates: [] });
  }
  t.same(readStoredTrust({ 'tls.crt': base64(good.cert) }).certificates, [], 'another format');
});

t.test('a new CA is written beside what is there', async (t) => {
  const now = Date.now();
  const [first, second] = [await makeCa(now - 240 * DAY), await makeCa(now)];
  const { cert, key } = await foreign(t, { key: ['-newkey', 'rsa:2048'] });
  const before = { ...secretOf(first.pem + cert, key + first.key), other: 'eA==' };
  const after = withCa(before, second, readStoredTrust(before), now);
  const { issuers, certificates } = readStoredTrust(after);
  t.same(issuers, [second, first]);
  t.equal(certificates.length, 3, 'what was trusted stays so');
  t.equal(after['other'], 'eA==');
  t.notMatch(Buffer.from(after['ca.key'] ?? '', 'base64').toString(), key.split('\n')[1]);

  const later = withCa(after, second, readStoredTrust(after), first.ends + 2 * DAY);
  t.same(readStoredTrust(later).issuers, [second], 'what has ended long ago goes');
});

t.test('garbage does not make what is trusted grow without end', async (t) => {
  const now = Date.now();
  const many = await Promise.all(
    Array.from({ length: MOST_TRUSTED + 4 }, (_, at) => makeCa(now - at * DAY)),
  );
  const served = many.at(-1);
  const trusted = trustedOf(served ? [served] : [], [many], now);
  t.equal(trusted.length, MOST_TRUSTED);
  t.ok(trusted.includes(served as never), 'what is served is never let go');
  const block = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}\n-----END CERTIFICATE-----\n`;
  t.same(readCaCertificates(block.repeat(10_000)), []);
});
