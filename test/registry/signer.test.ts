/** The signer makes Notary Project signatures; the real notation judges them at real registries. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { goTools } from '../bed/go-tools.ts';
import { pushImage, pushIndex } from '../bed/image.ts';
import { notationCli, type NotationCliOptions } from '../bed/notation-cli.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { startOlareg } from '../bed/olareg.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import { startTimestampServer } from '../bed/timestamp-server.ts';
import { ALGORITHMS } from '../support/signature-fixture.ts';
import { keyUsage, LEAF_EXTENSIONS, SIGNING_KEYS } from '../support/issued-certificate.ts';
import { reportToml, runSigner, type SignerRunOptions } from '../support/signer-run.ts';
import { until } from '../support/program.ts';
import { makeV2Secret } from '../support/v2-secret.ts';

const IDENTITY = 'x509.subject: C=DE, ST=BE, O=Example, CN=builds';

t.test('a Notary Project signature of a build', async (t) => {
  const tools = await goTools();
  if ('missing' in tools) return t.plan(0, tools.missing);
  const bed = await startBed();
  const { directory } = bed;
  const olareg = await startOlareg({ program: tools.olareg, directory });
  t.teardown(() => Promise.all([olareg.stop(), bed.stop()]));
  const registries = { tag: bed.registry, api: olareg };
  const judge = async (root: string, options: Partial<NotationCliOptions> = {}) =>
    notationCli({
      ...{ program: tools.notation, home: await mkdtemp(join(directory, 'judge-')) },
      ...{ roots: [root], identities: [IDENTITY], ...options },
    });
  let images = 0;
  /** An image of its own in a repository, with a report about it. */
  const build = async (listed: keyof typeof registries, repository = 'app', format?: 'oci') => {
    const { url: registryUrl, host } = registries[listed];
    const content = `image ${images++}`;
    const image = await pushImage({
      ...{ registryUrl, repository, tags: ['1'], content },
      ...(format && { format }),
    });
    const report = reportToml([`${host}/${repository}:1`], image.digest.slice(7), image.size);
    return { report, reference: `${host}/${repository}@${image.digest}`, ...image };
  };
  const sign = (options: Omit<SignerRunOptions, 'directory'>) =>
    runSigner({ directory, ...options });

  for (const listed of ['tag', 'api'] as const) {
    t.test(`where signatures are listed by ${listed}`, async (t) => {
      for (const algorithm of ALGORITHMS) {
        t.test(`is accepted with ${algorithm}, and made once`, async (t) => {
          const { v2Secret, root } = makeV2Secret({ key: SIGNING_KEYS[algorithm]() });
          const format = algorithm.startsWith('ES') ? undefined : 'oci';
          const { report, reference } = await build(listed, 'app', format);
          const first = await sign({ report, v2Secret });
          t.equal(first.code, 0, first.stdout);
          t.match(first.receipt.repositories, [{ result: 'signed', v2: { listed, count: 1 } }]);
          const verified = await (await judge(root)).verify(reference);
          t.equal(verified.code, 0, verified.stderr);
          const { root: other } = makeV2Secret();
          t.not((await (await judge(other)).verify(reference)).code, 0, 'under another root');
          const again = await sign({ report, v2Secret });
          t.match(again.receipt.repositories, [{ result: 'already-signed', v2: { count: 1 } }]);
          t.equal(
            again.receipt.repositories[0]?.v2?.digest,
            first.receipt.repositories[0]?.v2?.digest,
          );
        });
      }

      t.test('is accepted for an index', async (t) => {
        const { url: registryUrl, host } = registries[listed];
        const one = await build(listed, 'multi');
        const index = await pushIndex({
          ...{ registryUrl, repository: 'multi', tags: ['all'], images: [one] },
        });
        const { v2Secret, root } = makeV2Secret();
        const report = reportToml([`${host}/multi:all`], index.digest.slice(7), index.size);
        t.equal((await sign({ report, v2Secret })).code, 0);
        const verified = await (await judge(root)).verify(`${host}/multi@${index.digest}`);
        t.equal(verified.code, 0, verified.stderr);
      });

      t.test('stands beside those of notation, which stay', async (t) => {
        const { report, reference } = await build(listed);
        const secrets = [makeV2Secret(), makeV2Secret(), makeV2Secret()];
        for (const { v2Secret } of secrets) t.equal((await sign({ report, v2Secret })).code, 0);
        const last = await sign({ report, ...secrets[0] });
        t.match(last.receipt.repositories, [{ result: 'already-signed', v2: { count: 3 } }]);
        for (const { root } of secrets) {
          t.equal((await (await judge(root)).verify(reference)).code, 0);
        }
      });

      t.test('is one of two: v1 and v2 in one run', async (t) => {
        const repository = `both-${listed}`;
        const gun = `${registries[listed].host}/${repository}`;
        const secret = await secretOf(bed, await initRepository(bed, gun));
        const { v2Secret, root } = makeV2Secret();
        const { report, reference, digest } = await build(listed, repository);
        const run = await sign({ report, notaryUrl: bed.notary.url, secret, v2Secret });
        t.equal(run.code, 0, run.stdout);
        t.match(run.receipt.repositories, [
          { result: 'signed', roles: [{ name: 'targets' }], v2: { result: 'signed' } },
        ]);
        t.equal((await bed.cli('judge').lookup(gun, '1'))?.sha256, digest.slice(7));
        t.equal((await (await judge(root)).verify(reference)).code, 0);
        t.ok(Buffer.byteLength(run.terminationMessage) <= 1024);
      });
    });
  }

  t.test('with a timestamp outlives its certificate', async (t) => {
    const tsa = await startTimestampServer({ directory: join(directory, 'tsa') });
    t.teardown(() => tsa.stop());
    const to = new Date(Date.now() + 15_000);
    const { v2Secret, root } = makeV2Secret({ to });
    const stamped = await build('api');
    const bare = await build('api');
    const args = [`--v2-timestamp-url=${tsa.url}`, `--v2-timestamp-ca-file=${tsa.rootFile}`];
    const run = await sign({ report: stamped.report, v2Secret, args });
    t.equal(run.code, 0, run.stdout);
    t.match(run.receipt.repositories, [{ v2: { timestamp: { time: String } } }]);
    t.equal((await sign({ report: bare.report, v2Secret })).code, 0);
    const strict = await judge(root, {
      ...{ timestampRoots: [tsa.rootPem], verifyTimestamp: 'afterCertExpiry' },
    });
    t.equal((await strict.verify(bare.reference)).code, 0, 'while the certificate is valid');
    await until(() => Date.now() > to.getTime() + 1000);
    t.equal((await strict.verify(stamped.reference)).code, 0, 'with a timestamp');
    t.not((await strict.verify(bare.reference)).code, 0, 'without');
    const late = await sign({ report: bare.report, v2Secret });
    t.equal(late.receipt.code, 'CERTIFICATE_EXPIRED');
  });

  t.test('is not made, nor one of v1, where anything is known to be wrong', async (t) => {
    const repository = 'wrong';
    const gun = `${bed.registry.host}/${repository}`;
    const secret = await secretOf(bed, await initRepository(bed, gun));
    const image = await build('tag', repository);
    const good = makeV2Secret().v2Secret;
    const { 'ca.crt': _, ...rootless } = good;
    const usage = LEAF_EXTENSIONS.map((each) =>
      each.type === '551d0f' ? keyUsage(['digitalSignature', 'keyEncipherment']) : each,
    );
    const cases: readonly (readonly [string, Readonly<Record<string, string>>, string?])[] = [
      ['CERTIFICATE_INVALID', makeV2Secret({ extensions: usage }).v2Secret],
      ['CERTIFICATE_CHAIN_INCOMPLETE', rootless],
      ['CERTIFICATE_EXPIRED', makeV2Secret({ to: new Date(Date.now() - 1000) }).v2Secret],
      ['KEY_MISMATCH', { ...good, 'tls.key': makeV2Secret().v2Secret['tls.key'] }],
      ['MANIFEST_NOT_FOUND', good, reportToml([`${gun}:1`], 'b'.repeat(64), 7)],
      ['MANIFEST_MISMATCH', good, reportToml([`${gun}:1`], image.digest.slice(7), 7)],
    ];
    for (const [code, v2Secret, report = image.report] of cases) {
      const run = await sign({ report, notaryUrl: bed.notary.url, secret, v2Secret });
      t.equal(run.code, 1, code);
      t.equal(run.receipt.code, code, run.stdout);
      t.match(run.terminationMessage, `notary-sign failed (${code}): `);
      t.match(run.stdout, /nothing was signed\n$/);
    }
    t.equal(await bed.cli('judge').lookup(gun, '1'), undefined);
    const { stdout } = await (await judge('')).run(['ls', '--insecure-registry', image.reference]);
    t.match(stdout, 'has no associated signature');
    const lenient = await sign({
      ...{ report: image.report, notaryUrl: bed.notary.url, secret },
      v2Secret: rootless,
      args: ['--v2-on-failure=warn'],
    });
    t.equal(lenient.code, 0, lenient.stdout);
    t.match(lenient.receipt.repositories, [
      { result: 'signed', v2: { result: 'failed', code: 'CERTIFICATE_CHAIN_INCOMPLETE' } },
    ]);
    t.match(await bed.cli('judge').lookup(gun, '1'), { sha256: image.digest.slice(7) });
  });

  t.test(
    'ends with the run: what goes on beside a failure says nothing after the last line',
    async (t) => {
      let uploads = 0;
      const proxy = await startProxy({
        authority: bed.authority,
        target: bed.registry.url,
        rule: ({ path }) => {
          if (!path.includes('/blobs/')) return FORWARD;
          // One blob fails at once, the other one is tried again and again.
          return { kind: 'answer', status: uploads++ === 0 ? 403 : 503 };
        },
      });
      t.teardown(() => proxy.stop());
      const repository = 'busy';
      const image = await build('tag', repository);
      const gun = `${new URL(proxy.url).host}/${repository}`;
      const report = reportToml([`${gun}:1`], image.digest.slice(7), image.size);
      const run = await sign({
        ...{ report, v2Secret: makeV2Secret().v2Secret },
        env: { SSL_CERT_FILE: bed.authority.certificateFile },
      });
      t.equal(run.receipt.code, 'PUSH_DENIED', run.stdout);
      t.match(run.stdout, /nothing was signed\n$/);
      t.ok(uploads < 5, 'and it is not tried to the end');
    },
  );

  t.test('stays where v1 fails, and the message says so', async (t) => {
    const gun = `${bed.registry.host}/half`;
    await initRepository(bed, gun);
    const other = await initRepository(bed, `${bed.registry.host}/half-other`);
    const secret = await secretOf(bed, other);
    const { v2Secret, root } = makeV2Secret();
    const { report, reference } = await build('tag', 'half');
    const run = await sign({ report, notaryUrl: bed.notary.url, secret, v2Secret });
    t.match(
      run.terminationMessage,
      /^notary-sign failed \(KEY_NOT_IN_ROLE\).*\(v2 signed, v1 not\)/,
    );
    t.equal((await (await judge(root)).verify(reference)).code, 0);
  });
});
