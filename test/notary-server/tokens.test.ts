import { readFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { startBed, type BedOptions } from '../bed/bed.ts';
import { CANARIES, failsWith } from '../support/signer-failure.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const SHA256 = 'c'.repeat(64);
const GUN = 'registry.example.test/demo/app';
const PUSH_PULL = `repository:${GUN}:push,pull`;
const IDENTITY_TOKEN = 'canary-identity-token';
const { userPassword: password, wrongPassword } = CANARIES;

const accounts = {
  robot: { password, actions: ['pull', 'push'] },
  reader: { password, actions: ['pull'] },
  writer: { password, actions: ['push'] },
} as const;

/** Credentials Secrets by host. */
type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** A repository at a server that wants tokens, and a signer for it. */
async function startStrict(t: Test, auth: Partial<NonNullable<BedOptions['auth']>> = {}) {
  const bed = await startBed({ auth: { accounts, ...auth } });
  t.teardown(() => bed.stop());
  const { tokens } = bed;
  if (!tokens) throw new Error('the bed has no token server');
  const owner = bed.docker('owner', { username: 'robot', password });
  const { publicKeyFile, privateKeyFile } = await owner.keyGenerate('alice');
  await owner.signerAdd('alice', publicKeyFile, GUN);
  const secret = {
    'alice.key': await readFile(privateKeyFile, 'utf8'),
    password: owner.passphrase,
    'ca.crt': bed.authority.certificatePem,
  };
  const judge = bed.docker('judge', { username: 'reader', password });
  return {
    bed,
    tokens,
    /** What a stranger to the signer sees. */
    signed: async (tag: string) => (await judge.trustInspect(GUN)).find((row) => row.tag === tag),
    /** Signs a tag, and tells how it went and which tokens were asked for. */
    sign: async (tag: string, credentials: Secrets = {}) => {
      const before = tokens.requests.length;
      const result = await runSigner({
        directory: bed.directory,
        notaryUrl: bed.notary.url,
        secret,
        report: reportToml([`${GUN}:${tag}`], SHA256, 7),
        credentials,
      });
      return { result, asked: tokens.requests.slice(before) };
    },
  };
}

t.test('a server that wants tokens, from a realm that grants exactly what is asked', async (t) => {
  const { bed, tokens, sign, signed } = await startStrict(t, {
    identityTokens: { [IDENTITY_TOKEN]: 'robot' },
  });
  const { host } = bed.notary;
  const as = (username: string, secret: string = password, at: string = host): Secrets => ({
    [at]: { username, password: secret },
  });

  t.test('without credentials', async (t) => {
    const { result, asked } = await sign('none');
    failsWith(t, result, 'CREDENTIALS_MISSING');
    t.same(asked, [{ scopes: [PUSH_PULL] }], 'strangers might have got a token');
    t.match(result.lastLine, `none are for ${host} (docker credentials serve their registry`);
    t.match(
      result.lastLine,
      `Fix: Add a basic-auth Secret with the annotation kpack.io/notary.v1: ${host} to`,
    );
  });
  t.test('with credentials for another server', async (t) => {
    const { result, asked } = await sign('none', as('robot', password, 'elsewhere.example.com'));
    failsWith(t, result, 'CREDENTIALS_MISSING');
    t.same(asked, [{ scopes: [PUSH_PULL] }], 'they were not shown');
  });
  t.test('with a wrong password', async (t) => {
    const { result, asked } = await sign('none', as('robot', wrongPassword));
    failsWith(t, result, 'CREDENTIALS_REFUSED');
    t.match(result.lastLine, `gives no token to robot (credentials for ${host})`);
    t.same(asked, [{ account: 'robot', scopes: [PUSH_PULL] }], 'once: accounts get locked');
  });
  t.test('with credentials that lack the password', async (t) => {
    const { result, asked } = await sign('none', { [host]: { username: 'robot' } });
    failsWith(t, result, 'CREDENTIALS_INVALID');
    t.same(asked, []);
  });
  t.test('with an account that may not push', async (t) => {
    const { result, asked } = await sign('none', as('reader'));
    failsWith(t, result, 'PUSH_DENIED');
    t.match(result.lastLine, `does not let reader (credentials for ${host}) publish to ${GUN}`);
    t.same(asked, [
      { account: 'reader', scopes: [PUSH_PULL] },
      { account: 'reader', scopes: [PUSH_PULL] },
    ]);
    t.match(result.receipt.repositories, [{ code: 'PUSH_DENIED', attempts: 1 }]);
  });
  t.test('with an account that may push and not read', async (t) => {
    const { result } = await sign('none', as('writer'));
    failsWith(t, result, 'CREDENTIALS_REFUSED');
    t.match(result.lastLine, `does not let writer (credentials for ${host}) read ${GUN}`);
    t.match(result.lastLine, /Fix: Give the account the pull permission/);
  });
  t.test('with an account that may: push and pull are asked for at once', async (t) => {
    const { result, asked } = await sign('1', as('robot'));
    t.equal(result.code, 0, result.stdout);
    t.equal(result.receipt.result, 'signed');
    t.same(asked, [{ account: 'robot', scopes: [PUSH_PULL] }], 'one token for the whole run');
    t.same(await signed('1'), { tag: '1', sha256: SHA256, signers: ['alice'] });
  });
  t.test('with newlines at the end of both files, as tools leave them', async (t) => {
    const { result } = await sign('2', as('robot\n', `${password}\n`));
    t.equal(result.code, 0, result.stdout);
  });
  t.test('with credentials for the realm alone: a server may name any realm', async (t) => {
    const realm = new URL(tokens.realm).host;
    const { result, asked } = await sign('none', as('robot', password, realm));
    failsWith(t, result, 'CREDENTIALS_MISSING');
    t.same(asked, [{ scopes: [PUSH_PULL] }], 'they were not shown');
  });
  t.test('with an identity token', async (t) => {
    const { result, asked } = await sign('4', as('<token>', IDENTITY_TOKEN));
    t.equal(result.code, 0, result.stdout);
    t.same(asked, [{ account: 'robot', scopes: [PUSH_PULL] }]);
    t.match(tokens.queries.at(-1), /grant_type=refresh_token/);
  });
  t.test('with an identity token that is not known', async (t) => {
    const { result } = await sign('none', as('<token>', `${IDENTITY_TOKEN}-of-old`));
    failsWith(t, result, 'CREDENTIALS_REFUSED');
    t.match(result.lastLine, `the account of the identity token for ${host}`);
  });
  t.test('with two Secrets for it', async (t) => {
    const { result } = await sign('5', {
      ...as('robot'),
      ...as('robot', wrongPassword, `https://${host}/`),
    });
    t.equal(result.code, 0, result.stdout);
    t.match(result.stdout, `warning: 2 Secrets are for ${host}: the first is used`);
  });
  t.test('and nothing else was signed', async (t) => {
    t.equal(await signed('none'), undefined);
  });
});

t.test('tokens that are good for less than the run', async (t) => {
  const as = (host: string): Secrets => ({ [host]: { username: 'robot', password } });

  t.test('one that has expired is renewed', async (t) => {
    let mark = Infinity;
    const { bed, tokens, sign, signed } = await startStrict(t, {
      lifetime: (index) => (index === mark ? -3600 : undefined),
    });
    mark = tokens.requests.length;
    const { result, asked } = await sign('1', as(bed.notary.host));
    t.equal(result.code, 0, result.stdout);
    t.equal(asked.length, 2, 'the server refused the first');
    t.match(result.receipt.repositories, [{ attempts: 1 }]);
    t.ok(await signed('1'));
  });
  t.test('one whose answer says that it is old is renewed before it is used', async (t) => {
    let mark = Infinity;
    const { bed, tokens, sign } = await startStrict(t, {
      deviate: (token, index) =>
        index >= mark
          ? { status: 200, body: { token, expires_in: 60, issued_at: '2020-01-01T00:00:00Z' } }
          : undefined,
    });
    mark = tokens.requests.length;
    const { result, asked } = await sign('1', as(bed.notary.host));
    t.equal(result.code, 0, result.stdout);
    // For the round that loads, the publish, and the round that reads back, at the least.
    t.ok(asked.length >= 3 && asked.length < 12, `${asked.length} tokens`);
  });
  t.test('when all have expired, the servers do not agree', async (t) => {
    let mark = Infinity;
    const { bed, tokens, sign, signed } = await startStrict(t, {
      lifetime: (index) => (index >= mark ? -3600 : undefined),
    });
    mark = tokens.requests.length;
    const { result, asked } = await sign('1', as(bed.notary.host));
    failsWith(t, result, 'SERVER_FAILED');
    t.match(result.lastLine, /does not take the tokens of https:.* Fix: Compare issuer/);
    t.equal(asked.length, 2);
    mark = Infinity;
    t.equal(await signed('1'), undefined);
  });
});

t.test('a token that lets only read, where another lets publish', async (t) => {
  // What the account may do is changed between its first token and its second.
  let left = Infinity;
  const changing = {
    ...accounts,
    get robot() {
      const { actions } = left-- === 1 ? accounts.reader : accounts.robot;
      return { password, actions };
    },
  };
  const { bed, sign, signed } = await startStrict(t, { accounts: changing });
  left = 1;
  const { result, asked } = await sign('1', {
    [bed.notary.host]: { username: 'robot', password },
  });
  t.equal(result.code, 0, result.stdout);
  t.equal(asked.length, 2);
  t.match(result.receipt.repositories, [{ attempts: 1 }], 'it was one publish');
  t.ok(await signed('1'));
});

t.test('strangers get tokens, and may not do everything with them', async (t) => {
  for (const [may, anonymous] of [
    ['read', ['pull']],
    ['do nothing', []],
  ] as const) {
    await t.test(`they may ${may}: without credentials it is told that we have none`, async (t) => {
      const { sign } = await startStrict(t, { anonymous });
      failsWith(t, (await sign('1')).result, 'CREDENTIALS_MISSING');
    });
  }
  await t.test('they may do everything: no credentials are needed', async (t) => {
    const { sign, signed } = await startStrict(t, { anonymous: ['pull', 'push'] });
    const { result, asked } = await sign('1');
    t.equal(result.code, 0, result.stdout);
    t.same(asked, [{ scopes: [PUSH_PULL] }]);
    t.ok(await signed('1'));
  });
});
