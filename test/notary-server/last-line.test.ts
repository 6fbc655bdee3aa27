import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { FORWARD, startProxy, type ProxyOptions } from '../bed/proxy.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { failsWith } from '../support/signer-failure.ts';
import { reportToml, runSigner, type SignerRun } from '../support/signer-run.ts';

const SHA256 = 'e'.repeat(64);
const PREFIX = 'registry.example.test/last-line';

t.test('a failed run ends its log with a short line that is true', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const owner = bed.cli('owner');
  const known = [`${PREFIX}/a`, `${PREFIX}/b`];
  for (const gun of known) await initRepository(bed, gun, owner);
  const keys = await Promise.all(known.map((gun) => secretOf(bed, owner, gun)));
  const secret = Object.assign({}, ...keys) as Record<string, string>;
  const sign = (
    tags: readonly string[],
    { args = [], notaryUrl = bed.notary.url }: { args?: string[]; notaryUrl?: string } = {},
  ) => {
    const report = reportToml(
      tags.map((tag) => `${PREFIX}/${tag}`),
      SHA256,
      7,
    );
    return runSigner({ directory: bed.directory, notaryUrl, secret, report, args });
  };
  const endOf = ({ stdout }: SignerRun) => stdout.trimEnd().split('\n').at(-1) ?? '';
  const through = async (rule: ProxyOptions['rule'], work: (url: string) => Promise<SignerRun>) => {
    const { authority, notary } = bed;
    const proxy = await startProxy({ authority, target: notary.url, rule });
    return work(proxy.url).finally(() => proxy.stop());
  };

  t.test('where nothing was signed', async (t) => {
    const run = await sign(['unknown:1']);
    failsWith(t, run, 'REPOSITORY_NOT_INITIALISED');
    t.equal(endOf(run), 'nothing was signed');
  });

  t.test('where some repositories were signed', async (t) => {
    const run = await sign(['a:1', 'unknown:1', 'b:1']);
    failsWith(t, run, 'REPOSITORY_NOT_INITIALISED');
    t.equal(endOf(run), '2 of 3 repositories were signed');
    t.match(run.shownByKpack, /\(2 of 3 repositories signed\)\. Fix: /);
    for (const gun of known) t.ok(await bed.cli('judge').lookup(gun, '1'));
  });

  t.test('where nobody knows', async (t) => {
    let isPosted = false;
    const run = await through(
      ({ method }) => {
        if (isPosted) return { kind: 'answer', status: 503 };
        isPosted = method === 'POST';
        return FORWARD;
      },
      (notaryUrl) => sign(['a:2'], { notaryUrl }),
    );
    failsWith(t, run, 'READ_BACK_FAILED');
    t.equal(endOf(run), 'nothing is known to be signed');
    t.ok(await bed.cli('judge').lookup(`${PREFIX}/a`, '2'), 'it is, in truth');
  });

  t.test('where the build goes on', async (t) => {
    const args = ['--on-failure=warn'];
    const none = await sign(['unknown:1'], { args });
    t.equal(none.code, 0);
    t.equal(endOf(none), 'warning: the build goes on unsigned, since on-failure is warn');
    t.match(none.lastLine, /^notary-sign failed \(REPOSITORY_NOT_INITIALISED\): .* Fix: /);
    const some = await sign(['a:3', 'unknown:1'], { args });
    t.equal(some.code, 0);
    const end =
      'warning: the build goes on, since on-failure is warn; 1 of 2 repositories were signed';
    t.equal(endOf(some), end);
  });

  t.test('and as JSON with the receipt', async (t) => {
    const args = ['--log-format=json'];
    const failed = await sign(['unknown:1'], { args });
    t.match(JSON.parse(endOf(failed)), { result: 'failed', code: 'REPOSITORY_NOT_INITIALISED' });
    const warned = await sign(['unknown:1'], { args: [...args, '--on-failure=warn'] });
    const [warning = '', receipt = ''] = warned.stdout.trimEnd().split('\n').slice(-2);
    t.match(JSON.parse(warning), { level: 'warn', msg: /^the build goes on unsigned/ });
    t.match(JSON.parse(receipt), { result: 'failed' });
  });
});
