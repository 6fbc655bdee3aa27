import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startBed, type Bed } from '../bed/bed.ts';
import { succeed } from '../bed/command.ts';
import type { NotaryCli } from '../bed/notary-cli.ts';
import { keyFile, initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const FIRST = 'a'.repeat(64);
const SECOND = 'b'.repeat(64);

t.test('beside a server that anybody may write to', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const run = (report: string, secret: Record<string, string>, args: string[] = []) =>
    runSigner({ directory: bed.directory, notaryUrl: bed.notary.url, secret, report, args });

  t.test(
    'every tag of the report is signed in one publish, read back, and seen by others',
    async (t) => {
      const gun = 'registry.example.test/demo/several';
      const cli = await initRepository(bed, gun);
      const report = reportToml([gun, `${gun}:b1`, `${gun}:stable`, `${gun}:b1`], FIRST, 1234);
      const { code, receipt, terminationMessage, lastLine } = await run(
        report,
        await secretOf(bed, cli),
      );

      t.equal(code, 0);
      t.match(receipt, { v: 1, result: 'signed', source: 'report' });
      t.match(receipt.repositories, [{ gun, result: 'signed', attempts: 1 }]);
      t.same(JSON.parse(terminationMessage), receipt, 'the last words are the receipt');
      t.match(lastLine, `signed: ${gun}:latest`);
      const expected = ['b1', 'latest', 'stable'].map((tag) => ({
        tag,
        sha256: FIRST,
        length: 1234,
        role: 'targets',
      }));
      t.same(await bed.cli('judge').list(gun), expected);
      const inspected = await bed.docker('docker-judge').trustInspect(gun);
      t.same(
        inspected.map(({ tag, sha256 }) => ({ tag, sha256 })),
        expected.map(({ tag, sha256 }) => ({ tag, sha256 })),
      );
      const [version] = receipt.repositories[0]?.roles.map((role) => role.version) ?? [];
      t.equal(version, 3, 'one new version for three tags, after the two of the set-up');
    },
  );

  t.test('signing the same again publishes nothing', async (t) => {
    const gun = 'registry.example.test/demo/again';
    const cli = await initRepository(bed, gun);
    const report = reportToml([`${gun}:1`], FIRST, 10);
    const secret = await secretOf(bed, cli);
    const first = await run(report, secret);
    const second = await run(report, secret);
    t.equal(first.receipt.result, 'signed');
    t.equal(second.code, 0);
    t.equal(second.receipt.result, 'already-signed');
    t.same(second.receipt.repositories[0]?.roles, first.receipt.repositories[0]?.roles);
    t.match(second.receipt.repositories, [{ attempts: 0 }]);
  });

  t.test('what others sign before and after us stays valid', async (t) => {
    const gun = 'registry.example.test/demo/shared';
    const cli = await initRepository(bed, gun);
    const secret = await secretOf(bed, cli);
    t.equal((await run(reportToml([`${gun}:ours`], FIRST, 11), secret)).code, 0);
    await cli.addHash(gun, 'theirs', 22, SECOND);
    await cli.publish(gun);
    t.equal((await run(reportToml([`${gun}:ours-too`], SECOND, 33), secret)).code, 0);

    const role = 'targets';
    t.same(await bed.cli('judge').list(gun), [
      { tag: 'ours', sha256: FIRST, length: 11, role },
      { tag: 'ours-too', sha256: SECOND, length: 33, role },
      { tag: 'theirs', sha256: SECOND, length: 22, role },
    ]);
    const inspected = await bed.docker('docker-judge').trustInspect(gun);
    t.same(
      inspected.map(({ tag }) => tag),
      ['ours', 'ours-too', 'theirs'],
    );
  });

  t.test('a tag moves to the next image', async (t) => {
    const gun = 'registry.example.test/demo/moving';
    const cli = await initRepository(bed, gun);
    const secret = await secretOf(bed, cli);
    await run(reportToml([`${gun}:latest`, `${gun}:b1`], FIRST, 1), secret);
    await run(reportToml([`${gun}:latest`, `${gun}:b2`], SECOND, 2), secret);
    t.same(await bed.cli('judge').lookup(gun, 'latest'), { sha256: SECOND, length: 2 });
    t.same(await bed.cli('judge').lookup(gun, 'b1'), { sha256: FIRST, length: 1 });
  });

  t.test("docker's delegations: a signer's key signs its own role and the releases", async (t) => {
    const gun = 'registry.example.test/demo/delegated';
    const docker = bed.docker('docker-owner');
    const { publicKeyFile, privateKeyFile } = await docker.keyGenerate('alice');
    await docker.signerAdd('alice', publicKeyFile, gun);
    const { receipt, code, stdout } = await run(reportToml([`${gun}:1`], FIRST, 77), {
      'alice.key': await readFile(privateKeyFile, 'utf8'),
      password: `  ${docker.passphrase}\n`,
      'ca.crt': bed.authority.certificatePem,
    });
    t.equal(code, 0, stdout);
    t.same(
      receipt.repositories[0]?.roles.map(({ name }) => name),
      ['targets/alice', 'targets/releases'],
    );
    t.same(await bed.docker('docker-judge').trustInspect(`${gun}:1`), [
      { tag: '1', sha256: FIRST, signers: ['alice'] },
    ]);
    t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: FIRST, length: 77 });
  });

  t.test(
    'of several keys the one that fits is used: an RSA key of a delegation by certificate',
    async (t) => {
      const gun = 'registry.example.test/demo/certificate';
      const cli = await initRepository(bed, gun);
      const { certificateFile, encryptedKey } = await rsaDelegationKey(bed, cli.passphrase);
      await cli.delegationAdd(gun, 'targets/releases', certificateFile, ['v']);
      await cli.publish(gun);
      const secret = {
        ...(await secretOf(bed, cli)),
        ...(await keyFile(cli, 'root')),
        'release.key': encryptedKey,
      };
      const { code, receipt, stdout } = await run(reportToml([`${gun}:v1.0`], FIRST, 5), secret);
      t.equal(code, 0, stdout);
      t.same(
        receipt.repositories[0]?.roles.map(({ name }) => name),
        ['targets/releases'],
      );
      t.same(await bed.cli('judge').list(gun, 'targets/releases'), [
        { tag: 'v1.0', sha256: FIRST, length: 5, role: 'targets/releases' },
      ]);

      const outside = await run(reportToml([`${gun}:latest`], FIRST, 5), secret);
      t.equal(outside.receipt.code, 'KEY_NOT_IN_ROLE', 'a tag outside its paths is refused');
      t.match(outside.lastLine, /tags that begin with v/);
    },
  );

  t.test('a pinned root is accepted by either of its ids, and no other is', async (t) => {
    const gun = 'registry.example.test/demo/pinned';
    const cli = await initRepository(bed, gun);
    const secret = await secretOf(bed, cli);
    const report = reportToml([`${gun}:1`], FIRST, 1);
    const first = await run(report, secret);
    t.match(first.stdout, /not pinned: trusted on first use/);
    const [tufId = ''] = first.receipt.repositories[0]?.rootKeyIds ?? [];
    const canonicalId = Object.keys(await keyFile(cli, 'root'))[0]?.replace('.key', '') ?? '';
    for (const pin of [tufId, canonicalId]) {
      const { code, stdout } = await run(report, secret, [`--root-pin=${pin}`]);
      t.equal(code, 0);
      t.match(stdout, /\(pinned\)/);
    }
    const wrong = await run(reportToml([`${gun}:2`], FIRST, 1), secret, [`--root-pin=${FIRST}`]);
    t.equal(wrong.receipt.code, 'ROOT_PIN_MISMATCH');
    t.equal(await bed.cli('judge').lookup(gun, '2'), undefined);
  });

  t.test('two repositories in one build are both signed', async (t) => {
    const [one, two] = ['registry.example.test/demo/one', 'registry.example.test/demo/two'];
    const cli = await initRepository(bed, one);
    await initRepository(bed, two, cli);
    const secret = { ...(await secretOf(bed, cli, one)), ...(await keyFile(cli, 'targets', two)) };
    const { code, receipt, stdout } = await run(
      reportToml([`${one}:1`, `${two}:2`], FIRST, 9),
      secret,
    );
    t.equal(code, 0, stdout);
    t.same(
      receipt.repositories.map(({ gun, result }) => [gun, result]),
      [
        [one, 'signed'],
        [two, 'signed'],
      ],
    );
    t.same(await bed.cli('judge').lookup(two, '2'), { sha256: FIRST, length: 9 });
  });

  t.test('the receipt is the last line of a json log', async (t) => {
    const gun = 'registry.example.test/demo/json';
    const cli = await initRepository(bed, gun);
    const report = reportToml([`${gun}:1`], FIRST, 1);
    const { stdout, receipt } = await run(report, await secretOf(bed, cli), ['--log-format=json']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    t.same(lines.at(-1), receipt);
    t.ok(lines.slice(0, -1).every((line) => 'msg' in line && 'level' in line));
  });
});

async function rsaDelegationKey(
  bed: Bed,
  passphrase: NotaryCli['passphrase'],
): Promise<{ certificateFile: string; encryptedKey: string }> {
  const [key, certificateFile, encrypted] = ['rsa.pem', 'rsa.crt', 'rsa.key'].map((name) =>
    join(bed.directory, name),
  ) as [string, string, string];
  const openssl = (...args: string[]) =>
    succeed({ program: 'openssl', args, directory: bed.directory });
  await openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificateFile],
    ...['-days', '30', '-subj', '/CN=release'],
  );
  await openssl(
    ...['pkcs8', '-topk8', '-in', key, '-out', encrypted, '-v2', 'aes-256-cbc'],
    ...['-passout', `pass:${passphrase}`],
  );
  return { certificateFile, encryptedKey: await readFile(encrypted, 'utf8') };
}
