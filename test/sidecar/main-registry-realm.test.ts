import { readFile } from 'node:fs/promises';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { CANARIES, failsWith } from '../signer-failure.ts';
import { reportToml, runSigner } from '../signer-run.ts';

const SHA256 = 'c'.repeat(64);

t.test('one token server for registry and Notary server: the docker Secret will do', async (t) => {
  const robot = { username: 'robot', password: CANARIES.userPassword };
  const bed = await startBed({
    auth: { accounts: { robot: { password: robot.password, actions: ['pull', 'push'] } } },
  });
  t.teardown(() => bed.stop());
  const owner = bed.docker('owner', robot);
  const { publicKeyFile, privateKeyFile } = await owner.keyGenerate('alice');
  const secret = {
    'alice.key': await readFile(privateKeyFile, 'utf8'),
    password: owner.passphrase,
    'ca.crt': bed.authority.certificatePem,
  };
  const configOf = (auths: Readonly<Record<string, object>>) => ({
    files: { '.dockerconfigjson': JSON.stringify({ auths }) },
  });
  for (const [gun, host] of [
    ['registry.example.test:5000/demo/app', 'https://registry.example.test:5000'],
    ['docker.io/demo/app', 'https://index.docker.io/v1/'],
  ] as const) {
    await owner.signerAdd('alice', publicKeyFile, gun);
    const sign = (auths: Readonly<Record<string, object>>, tag: string) =>
      runSigner({
        directory: bed.directory,
        notaryUrl: bed.notary.url,
        secret,
        report: reportToml([`${gun}:${tag}`], SHA256, 7),
        registrySecrets: [configOf(auths)],
      });
    t.test(`${gun}, with the credentials for its registry`, async (t) => {
      const { code, stdout } = await sign({ [host]: robot }, '1');
      t.equal(code, 0, stdout);
      t.same(await bed.docker('judge', robot).trustInspect(gun), [
        { tag: '1', sha256: SHA256, signers: ['alice'] },
      ]);
    });
    t.test(`${gun}, with those for another`, async (t) => {
      failsWith(t, await sign({ 'other.example.test': robot }, '2'), 'CREDENTIALS_MISSING');
    });
  }
});
