/** Metadata that take much memory or time: what a container can hold is signed, the rest is told. */
import t, { type Test } from 'tap';
import { startBed } from '../bed/bed.ts';
import { startHandlerServer } from '../bed/handler-server.ts';
import { limitMemory, whyNoMemoryLimit } from '../bed/memory-limit.ts';
import { filledRole, publishFilled } from '../support/filled-role.ts';
import { initDelegations, initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner, type SignerRun } from '../support/signer-run.ts';
import { makeKey } from '../support/trust/key.ts';
import { buildRepository } from '../support/trust/repository.ts';

const MIB = 1024 * 1024;
const SHA256 = 'e'.repeat(64);
const GUN = 'registry.example.test/demo/large';
/** Milliseconds, on a machine that does much else. */
const TIME_LIMIT = 240_000;

const bed = await startBed();
t.teardown(() => bed.stop());

/** Signs one tag, in a container with so many MiB of memory. */
async function signWithin(
  t: Test,
  mebibytes: number,
  gun: string,
  secret: Readonly<Record<string, string>>,
): Promise<SignerRun> {
  const limit = limitMemory(mebibytes * MIB);
  t.teardown(() => limit.remove());
  const run = await runSigner({
    directory: bed.directory,
    notaryUrl: bed.notary.url,
    secret,
    report: reportToml([`${gun}:in-${mebibytes}`], SHA256, 7),
    prefix: limit.prefix,
    timeLimit: TIME_LIMIT,
  });
  t.equal(limit.kills(), 0, `nothing is killed in ${mebibytes} MiB`);
  return run;
}

/** It does not fit into so much, the message says how much is enough, and that is true. */
async function refusedThenSigned(
  t: Test,
  mebibytes: number,
  gun: string,
  secret: Readonly<Record<string, string>>,
): Promise<void> {
  const refused = await signWithin(t, mebibytes, gun, secret);
  t.equal(refused.code, 1);
  t.equal(refused.receipt.code, 'METADATA_TOO_LARGE');
  t.match(refused.terminationMessage, `the memory limit of the container is ${mebibytes} MiB`);
  t.match(refused.terminationMessage, /--signer-memory/);
  const [, enough = ''] = /at least (\d+)Mi/.exec(refused.terminationMessage) ?? [];
  const signed = await signWithin(t, Number(enough), gun, secret);
  t.equal(signed.code, 0, signed.lastLine);
  t.same(await bed.cli('judge').lookup(gun, `in-${enough}`), { sha256: SHA256, length: 7 });
}

const skip = whyNoMemoryLimit() ?? false;

t.test('a repository of 100,000 tags', { skip }, async (t) => {
  const secret = await secretOf(bed, await initRepository(bed, GUN));
  await publishFilled(bed, GUN, { role: 'targets', secret, tags: 100_000, version: 10 });
  await refusedThenSigned(t, 96, GUN, secret);
});

t.test('beside a delegation of somebody else that has 8 MiB', { skip }, async (t) => {
  const { gun, secrets } = await initDelegations(bed, 'foreign', ['alice', 'bob']);
  const [alice, bob] = secrets;
  if (!alice || !bob) throw new Error('there are two signers');
  await publishFilled(bed, gun, { role: 'targets/bob', secret: bob, tags: 80_000, version: 10 });
  await refusedThenSigned(t, 72, gun, alice);
});

t.test('the deadline holds while a file is verified that takes minutes', async (t) => {
  const key = makeKey();
  const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const secret = { 'signer.key': pem, 'ca.crt': bed.authority.certificatePem };
  const large = await filledRole({ secret, tags: 400_000, version: 1, invalid: 3_000 });
  const { files } = buildRepository({
    gun: GUN,
    keys: { targets: [key] },
    editBytes: { targets: () => large },
  });
  const server = await startHandlerServer({
    authority: bed.authority,
    handle: ({ url = '' }, response) => {
      const [, role = ''] = /_trust\/tuf\/([a-z/]+)(?:\.[0-9a-f]{64})?\.json$/.exec(url) ?? [];
      const file = [...files].find(([name]) => name === role);
      response.writeHead(file ? 200 : 404);
      response.end(file?.[1] ?? '{"errors":[{"code":"METADATA_NOT_FOUND"}]}');
    },
  });
  t.teardown(() => server.stop());
  const started = performance.now();
  const run = await runSigner({
    directory: bed.directory,
    notaryUrl: server.url,
    secret,
    report: reportToml([`${GUN}:late`], SHA256, 7),
    args: ['--deadline=3'],
    timeLimit: TIME_LIMIT,
  });
  const seconds = (performance.now() - started) / 1000;
  t.equal(run.code, 1);
  t.equal(run.receipt.code, 'DEADLINE_EXCEEDED');
  t.match(run.terminationMessage, 'DEADLINE_EXCEEDED');
  // Starting, on a machine that does much else, is not part of it.
  t.ok(seconds < 15, `${seconds} s`);
});
