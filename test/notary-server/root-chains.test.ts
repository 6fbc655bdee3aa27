import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import type { RoleName } from '../../src/sidecar/tuf/metadata.ts';
import { createAuthority } from '../bed/authority.ts';
import { startBed, type Bed } from '../bed/bed.ts';
import { dockerCli } from '../bed/docker-cli.ts';
import { startHandlerServer } from '../bed/handler-server.ts';
import { ensureInstalled } from '../bed/installed.ts';
import { notaryCli } from '../bed/notary-cli.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { call, postRoles } from './support/role-post.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';
import { makeCertificate, makeCertificateKey } from '../support/trust/certificate.ts';
import { makeKey, relist, type TestKey } from '../support/trust/key.ts';
import { serveRepositories } from './support/trust/served.ts';
import { buildRepository, entry, GUN } from '../support/trust/repository.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';

t.setTimeout(240_000);

const SHA256 = 'ab'.repeat(32);
const LENGTH = 528;
const HOUR = 60 * 60 * 1000;
/** How long a certificate lives that is to end while the test waits. */
const SHORT_LIFE_MS = 3000;
const CERT_SIGN = 0x04;
const DIGITAL_SIGNATURE = 0x80;

const inHours = (hours: number) => new Date(Date.now() + hours * HOUR);
const authority = (options: Partial<Parameters<typeof makeCertificate>[0]> = {}) =>
  makeCertificate({ commonName: 'issuer', authority: true, ...options });
const root = (options: Partial<Parameters<typeof makeCertificate>[0]> = {}) =>
  makeCertificateKey({ commonName: GUN, ...options });
const respelled = (change: (pem: string) => string) => {
  const key = makeKey();
  const pem = change(makeCertificate({ commonName: GUN, key }) + authority());
  return relist(key, 'ecdsa-x509', Buffer.from(pem).toString('base64'));
};

/** Root keys, and whether the reference client trusts a repository that has this one alone. */
const ROOTS: readonly (readonly [what: string, key: TestKey, isTrusted: boolean, says?: RegExp])[] =
  [
    ['a leaf alone', root(), true],
    ['a chain', root({ chain: authority() + authority({ commonName: 'above' }) }), true],
    [
      'a chain whose CA may sign certificates',
      root({ chain: authority({ keyUsage: CERT_SIGN }) }),
      true,
    ],
    [
      'a chain whose CA may not sign certificates',
      root({ chain: authority({ keyUsage: DIGITAL_SIGNATURE }) }),
      true,
    ],
    [
      'a chain whose CA begins within a day',
      root({ chain: authority({ from: inHours(12), to: inHours(99) }) }),
      true,
    ],
    [
      'a chain whose CA has ended',
      root({ chain: authority({ to: inHours(-1) }) }),
      false,
      /certificate 2 of 2 of the root key of \S+ \(issuer\) is not valid at/,
    ],
    [
      'a chain whose second CA has ended',
      root({ chain: authority() + authority({ commonName: 'above', to: inHours(-1) }) }),
      false,
      /certificate 3 of 3 .*\(above\) is not valid/,
    ],
    [
      'a chain whose CA begins in two days',
      root({ chain: authority({ from: inHours(48), to: inHours(99) }) }),
      false,
      /is not valid at/,
    ],
    [
      'a chain whose CA ends before it begins',
      root({ chain: authority({ from: inHours(12), to: inHours(6) }) }),
      false,
      /is not valid at/,
    ],
    [
      'a chain whose CA is signed over SHA-1',
      root({ chain: authority({ digest: 'sha1' }) }),
      false,
      /SHA-1/,
    ],
    [
      'a chain whose CA has RSA of 1024 bits',
      root({ chain: authority({ key: makeKey('rsa1024') }) }),
      false,
      /under 2048 bits/,
    ],
    [
      'a chain whose CA has a curve that Go does not know',
      root({ chain: authority({ key: makeKey('secp256k1') }) }),
      false,
      /curve/,
    ],
    [
      'a leaf that is a CA without the right to sign',
      root({ authority: true, keyUsage: DIGITAL_SIGNATURE }),
      false,
      /no certificate/,
    ],
    ['a leaf on P-224', root({ key: makeKey('p224') }), true],
    ['a leaf on a curve that Go does not know', root({ key: makeKey('secp256k1') }), false],
    ['a chain as Go writes it', respelled((pem) => pem), true],
    [
      'a chain without its last line break',
      respelled((pem) => pem.trimEnd()),
      false,
      /no certificate/,
    ],
    ['a chain with other line ends', respelled((pem) => pem.replaceAll('\n', '\r\n')), false],
    ['a chain with words between', respelled((pem) => pem.replace(/-\n-/, '-\nwords\n-')), false],
    ['a chain that is glued together', respelled((pem) => pem.replace(/-\n-/, '--')), false],
  ];

t.test('the signer trusts the root keys that notary and docker trust', async (t) => {
  await ensureInstalled(['notary', 'docker', 'openssl']);
  const home = temporaryDirectory();
  const ca = await createAuthority(join(home, 'ca'));
  const signing = makeKey();
  const keyPem = signing.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  for (const [i, [what, key, isTrusted, says]] of ROOTS.entries()) {
    await t.test(what, async (t) => {
      const repository = buildRepository({
        keys: { root: [key], targets: [signing] },
        targets: { latest: entry(SHA256, LENGTH) },
      });
      const server = await startHandlerServer({
        authority: ca,
        handle: serveRepositories([repository]),
      });
      t.teardown(() => server.stop());
      const notary = notaryCli({ server, authority: ca, home: join(home, `notary-${i}`) });
      const docker = dockerCli({ server, authority: ca, home: join(home, `docker-${i}`) });
      const shown = notary.lookup(GUN, 'latest').then(
        (target) => target !== undefined,
        () => false,
      );
      const inspected = docker.trustInspect(`${GUN}:latest`).then(
        (tags) => tags.some(({ tag }) => tag === 'latest'),
        () => false,
      );
      t.same([await shown, await inspected], [isTrusted, isTrusted], 'notary and docker');

      const run = await runSigner({
        directory: home,
        notaryUrl: server.url,
        secret: { 'targets.key': keyPem, 'ca.crt': ca.certificatePem },
        report: reportToml([`${GUN}:latest`], SHA256, LENGTH),
      });
      t.equal(run.receipt.result, isTrusted ? 'already-signed' : 'failed', run.stdout);
      if (says) t.match(run.stdout, says);
    });
  }
});

t.test('what the error says cures a chain that has ended', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/chains/ended';
  const ends = new Date(Math.ceil(Date.now() / 1000) * 1000 + SHORT_LIFE_MS);
  const key = makeCertificateKey({ commonName: gun, chain: authority({ to: ends }) });
  const { files } = buildRepository({
    gun,
    keys: {
      root: [key],
      snapshot: [await serverKey(bed, gun, 'snapshot')],
      timestamp: [await serverKey(bed, gun, 'timestamp')],
    },
    signers: { snapshot: [], timestamp: [] },
  });
  const text = (role: string) => files.get(role as RoleName)?.toString() ?? '';
  await postRoles(bed, gun, { root: text('root'), targets: text('targets') });
  const owner = bed.cli('owner');
  t.same(await owner.list(gun), [], 'in time it is read');
  // The server tells its time in whole seconds, and by that the chain has to have ended as well.
  const ended = ends.getTime() + 1000;
  while (Date.now() <= ended) await pause(ended - Date.now() + 1);
  await t.rejects(owner.list(gun), /could not validate the path to a trusted root/);

  const options = {
    directory: bed.directory,
    notaryUrl: bed.notary.url,
    report: reportToml([`${gun}:latest`], SHA256, LENGTH),
  };
  const secret = { 'ca.crt': bed.authority.certificatePem };
  const stranger = makeKey().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const refused = await runSigner({ ...options, secret: { ...secret, 'k.key': stranger } });
  t.equal(refused.receipt.code, 'METADATA_EXPIRED');
  t.match(
    refused.receipt.fix,
    new RegExp(`notary -s \\S+ delete ${gun} --remote && notary -s \\S+ init ${gun}`),
  );

  t.equal((await owner.run(['delete', gun, '--remote'])).code, 0);
  await initRepository(bed, gun, owner);
  const signed = await runSigner({ ...options, secret: await secretOf(bed, owner, gun) });
  t.equal(signed.receipt.result, 'signed', signed.stdout);
  t.match(await bed.docker().trustInspect(`${gun}:latest`), [{ tag: 'latest', sha256: SHA256 }]);
});

/** The key that the server holds for a role. */
async function serverKey(bed: Bed, gun: string, role: string): Promise<TestKey> {
  const answer = await call(bed, `${gun}/_trust/tuf/${role}.key`);
  const { keytype, keyval } = JSON.parse(answer) as {
    readonly keytype: string;
    readonly keyval: { readonly public: string };
  };
  return relist(makeKey(), keytype, keyval.public);
}
