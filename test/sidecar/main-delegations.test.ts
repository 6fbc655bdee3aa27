import { readFile } from 'node:fs/promises';
import t from 'tap';
import { startBed, type Bed } from '../bed/bed.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import { reportToml, runSigner } from '../signer-run.ts';

const FIRST = 'a'.repeat(64);
const SECOND = 'b'.repeat(64);

/** A repository with docker's delegations for these signers, and the signing Secret of each. */
async function delegated(bed: Bed, name: string, signers: readonly string[]) {
  const gun = `registry.example.test/demo/${name}`;
  const docker = bed.docker(`docker-${name}`);
  const secrets: Record<string, string>[] = [];
  for (const signer of signers) {
    const { publicKeyFile, privateKeyFile } = await docker.keyGenerate(signer);
    await docker.signerAdd(signer, publicKeyFile, gun);
    secrets.push({
      'signer.key': await readFile(privateKeyFile, 'utf8'),
      password: docker.passphrase,
      'ca.crt': bed.authority.certificatePem,
    });
  }
  const [alices = {}, bobs = {}] = secrets;
  return { gun, alices, bobs };
}

t.test('beside the delegations of others', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const run = (report: string, secret: Record<string, string>, notaryUrl = bed.notary.url) =>
    runSigner({ directory: bed.directory, notaryUrl, secret, report });

  t.test('one that nobody can read stops us: no client could read the rest', async (t) => {
    const { gun, alices, bobs } = await delegated(bed, 'unreadable', ['alice', 'bob']);
    t.equal((await run(reportToml([`${gun}:1`], FIRST, 1), alices)).code, 0);
    const gone = '{"errors":[{"code":"METADATA_NOT_FOUND","message":"gone"}]}';
    const proxy = await startProxy({
      authority: bed.authority,
      target: bed.notary.url,
      rule: ({ path }) =>
        path.includes('/targets/alice.') ? { kind: 'answer', status: 404, body: gone } : FORWARD,
    });
    t.teardown(() => proxy.stop());
    const { receipt } = await run(reportToml([`${gun}:2`], FIRST, 1), bobs, proxy.url);
    t.equal(receipt.code, 'METADATA_INCONSISTENT');
    t.match(receipt.message, 'targets/alice.json');
  });

  t.test('who would find another image under a tag is said', async (t) => {
    const { gun, alices, bobs } = await delegated(bed, 'shadowed', ['alice', 'bob']);
    const report = (sha256: string) => reportToml([`${gun}:1`], sha256, 1);
    t.notMatch((await run(report(FIRST), alices)).stdout, /warning/);
    const { code, stdout } = await run(report(SECOND), bobs);
    t.equal(code, 0);
    t.match(stdout, `warning: ${gun}: notary lookup shows another 1, that of targets/alice`);
    t.notMatch(stdout, 'docker');
    t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: FIRST, length: 1 });
    const [released] = await bed.docker('docker-judge').trustInspect(`${gun}:1`);
    t.match(released, { sha256: SECOND, signers: ['bob'] });
  });
});
