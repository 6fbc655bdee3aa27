import { readFile } from 'node:fs/promises';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { CANARIES, failsWith, watchRuns } from '../signer-failure.ts';
import { reportToml } from '../signer-run.ts';

const SHA256 = 'c'.repeat(64);
const { run, checkSecrets } = watchRuns();

t.test('a server that wants tokens', async (t) => {
  const accounts = {
    robot: { password: CANARIES.userPassword, actions: ['pull', 'push'] },
    reader: { password: CANARIES.userPassword, actions: ['pull'] },
  } as const;
  const bed = await startBed({ auth: { accounts } });
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/app';
  const owner = bed.docker('owner', { username: 'robot', password: CANARIES.userPassword });
  const { publicKeyFile, privateKeyFile } = await owner.keyGenerate('alice');
  await owner.signerAdd('alice', publicKeyFile, gun);
  const secret = {
    'alice.key': await readFile(privateKeyFile, 'utf8'),
    password: owner.passphrase,
    'ca.crt': bed.authority.certificatePem,
  };
  const sign = (username?: string, password: string = CANARIES.userPassword, host?: string) =>
    run({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret,
      report: reportToml([`${gun}:1`], SHA256, 7),
      ...(username !== undefined && {
        credentials: { [host ?? bed.notary.host]: { username, password } },
      }),
    });
  const judge = bed.docker('judge', { username: 'reader', password: CANARIES.userPassword });

  t.test('without credentials', async (t) => {
    failsWith(t, await sign(), 'CREDENTIALS_MISSING');
    failsWith(
      t,
      await sign('robot', CANARIES.userPassword, 'elsewhere.example.com'),
      'CREDENTIALS_MISSING',
    );
  });
  t.test('with a wrong password', async (t) => {
    failsWith(t, await sign('robot', CANARIES.wrongPassword), 'CREDENTIALS_REFUSED');
  });
  t.test('with credentials that lack the password', async (t) => {
    const result = await run({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret,
      report: reportToml([`${gun}:1`], SHA256, 7),
      credentials: { [bed.notary.host]: { username: 'robot' } },
    });
    failsWith(t, result, 'CREDENTIALS_INVALID');
  });
  t.test('with an account that may not push', async (t) => {
    failsWith(t, await sign('reader'), 'PUSH_DENIED');
    t.same(await judge.trustInspect(gun), []);
  });
  t.test('with an account that may: push and pull are asked for at once', async (t) => {
    const before = bed.tokens?.requests.length ?? 0;
    const result = await sign('robot');
    t.equal(result.code, 0, result.stdout);
    t.same(bed.tokens?.requests.slice(before), [
      { account: 'robot', scopes: [`repository:${gun}:push,pull`] },
    ]);
    t.same(await judge.trustInspect(gun), [{ tag: '1', sha256: SHA256, signers: ['alice'] }]);
  });
});

t.test('strangers get tokens, and may not do everything with them', async (t) => {
  for (const [may, anonymous] of [
    ['read', ['pull']],
    ['do nothing', []],
  ] as const) {
    await t.test(`they may ${may}: without credentials it is told that we have none`, async (t) => {
      const accounts = {
        robot: { password: CANARIES.userPassword, actions: ['pull', 'push'] },
      } as const;
      const bed = await startBed({ auth: { accounts, anonymous } });
      t.teardown(() => bed.stop());
      const gun = 'registry.example.test/demo/app';
      const owner = bed.docker('owner', { username: 'robot', password: CANARIES.userPassword });
      const { publicKeyFile, privateKeyFile } = await owner.keyGenerate('alice');
      await owner.signerAdd('alice', publicKeyFile, gun);
      const result = await run({
        directory: bed.directory,
        notaryUrl: bed.notary.url,
        secret: {
          'alice.key': await readFile(privateKeyFile, 'utf8'),
          password: owner.passphrase,
          'ca.crt': bed.authority.certificatePem,
        },
        report: reportToml([`${gun}:1`], SHA256, 7),
      });
      failsWith(t, result, 'CREDENTIALS_MISSING');
    });
  }
});

t.test('no secret was in any output', (t) => {
  checkSecrets(t, 6);
  t.end();
});
