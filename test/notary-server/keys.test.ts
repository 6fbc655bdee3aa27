import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { initRepository, keyFile, secretOf } from '../bed/notary-repository.ts';
import {
  makeKeyDirectory,
  PASSWORD,
  withHeaders,
  type OpensslKey,
} from '../support/private-key.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const SHA256 = 'd'.repeat(64);

t.test('keys of a signing Secret', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const { directory, run, opensslKey } = makeKeyDirectory();
  const sign = (gun: string, secret: Record<string, string>) =>
    runSigner({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret,
      report: reportToml([`${gun}:1`], SHA256, 7),
    });

  t.test('of every kind that a delegation takes sign, and notary reads it', async (t) => {
    const gun = 'registry.example.test/demo/kinds';
    const owner = await initRepository(bed, gun);
    const ec = (curve: string) => opensslKey(curve, [`ec_paramgen_curve:${curve}`]);
    const [p256, p384, p521] = [ec('P-256'), ec('P-384'), ec('P-521')];
    const rsa = opensslKey('rsa', ['rsa_keygen_bits:4096'], 'RSA');
    const compressed = run('openssl', ['ec', '-in', p256.file, '-conv_form', 'compressed']);
    const kinds: Readonly<Record<string, readonly [OpensslKey, string]>> = {
      compressed: [p256, compressed],
      p384: [p384, p384.encrypt()],
      p521: [p521, p521.plain],
      rsa: [rsa, rsa.encrypt()],
    };
    for (const [role, [key]] of Object.entries(kinds)) {
      const publicKey = join(directory, `${role}.pub`);
      await writeFile(publicKey, run('openssl', ['pkey', '-in', key.file, '-pubout']));
      await owner.delegationAdd(gun, `targets/${role}`, publicKey);
    }
    await owner.publish(gun);
    const secret: Record<string, string> = {
      'notary-password.txt': PASSWORD,
      'ca.crt': bed.authority.certificatePem,
    };
    for (const [role, [, pem]] of Object.entries(kinds)) {
      secret[`${role}.key`] = withHeaders(pem, `role: ${role}`);
    }
    const { code, stdout } = await sign(gun, secret);
    t.equal(code, 0, stdout);
    const judge = bed.cli('judge');
    for (const role of Object.keys(kinds)) {
      t.match(await judge.list(gun, `targets/${role}`), [{ tag: '1', sha256: SHA256 }], role);
    }
  });

  t.test('that do not open are told, and those that open sign', async (t) => {
    const gun = 'registry.example.test/demo/beside';
    const owner = await initRepository(bed, gun);
    const other = opensslKey('other', ['ec_paramgen_curve:P-256']).encrypt();
    const { code, stdout } = await sign(gun, {
      ...(await secretOf(bed, owner)),
      'root.key': withHeaders(other, 'role: root'),
      [`${'a'.repeat(64)}.key`]: Object.values(await keyFile(owner, 'root')).join(''),
    });
    t.equal(code, 0, stdout);
    t.match(stdout, /^warning: not used: root\.key \(role root\) cannot be decrypted with/m);
    t.match(stdout, /^warning: a{64}\.key is named after another key: it holds [0-9a-f]{64}$/m);
    t.match(await bed.cli('judge').lookup(gun, '1'), { sha256: SHA256 });
  });

  t.test('that do not open are named where no other fits', async (t) => {
    const gun = 'registry.example.test/demo/other-password';
    const owner = await initRepository(bed, gun);
    const { code, receipt } = await sign(gun, {
      ...(await secretOf(bed, owner)),
      'notary-password.txt': 'canary-another-password',
      'stranger.key': opensslKey('stranger', ['ec_paramgen_curve:P-256']).plain,
    });
    t.equal(code, 1);
    t.equal(receipt.code, 'KEY_NOT_IN_ROLE');
    t.match(receipt.message, /not among these keys: [0-9a-f]{64}\.key \(.*\) cannot be decrypted/);
  });
});
