import { get } from 'node:https';
import t from 'tap';
import { SIGNER_FLAGS } from '../../src/shared/signer-flags.ts';
import { startBed, type Bed } from '../bed/bed.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { initRepository, keyFile, secretOf } from '../bed/notary-repository.ts';
import { CANARIES, failsWith } from '../support/signer-failure.ts';
import {
  reportToml,
  runSigner,
  runWatched,
  SIGNER,
  type SignerRunOptions,
} from '../support/signer-run.ts';

const SHA256 = 'c'.repeat(64);

t.test('each failure has its code and fix, and nothing is published', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/app';
  const cli = await initRepository(bed, gun);
  const secret = await secretOf(bed, cli);
  const report = reportToml([`${gun}:1`], SHA256, 7);
  const other = await initRepository(bed, 'registry.example.test/demo/other');
  const versionsBefore = await versions(bed, gun);

  const cases: Record<string, { code: string; says?: RegExp; options: Partial<SignerRunOptions> }> =
    {
      'no report': { code: 'REPORT_MISSING', options: { report: undefined } },
      'a report without tags': {
        code: 'REPORT_WITHOUT_TAGS',
        options: { report: reportToml([], SHA256, 7) },
      },
      'a report that is not TOML': {
        code: 'REPORT_INVALID',
        says: /line 1/,
        options: { report: '[image' },
      },
      'a report without a digest': {
        code: 'REPORT_INVALID',
        options: { report: `[image]\ntags = ["${gun}:1"]\n` },
      },
      'a tag that is not one of the Build': {
        code: 'TAG_NOT_ALLOWED',
        says: /demo\/app:1; the Build has registry\.example\.test\/demo\/app:2/,
        options: { args: [`--allow-tag=${gun}:2`] },
      },
      'no key': { code: 'KEY_MISSING', options: { secret: without(secret, '.key') } },
      'a file that is no key': {
        code: 'KEY_INVALID',
        options: { secret: { ...without(secret, '.key'), 'a.key': 'not a key' } },
      },
      'no password': { code: 'KEY_PASSWORD_MISSING', options: { secret: without(secret, '.txt') } },
      'two passwords that differ': {
        code: 'KEY_PASSWORD_CONFLICT',
        options: { secret: { ...secret, password: CANARIES.wrongPassword } },
      },
      'a CA file that is none': {
        code: 'CA_INVALID',
        options: { secret: { ...secret, 'ca.crt': 'not a certificate' } },
      },
    };
  for (const [what, { code, says, options }] of Object.entries(cases)) {
    t.test(what, async (t) => {
      const defaults = { directory: bed.directory, notaryUrl: bed.notary.url, secret, report };
      const result = await runSigner({ ...defaults, ...options });
      failsWith(t, result, code);
      if (says) t.match(result.lastLine, says);
    });
  }

  t.test('afterwards the server holds what it held before', async (t) => {
    t.same(await versions(bed, gun), versionsBefore);
    t.same(await bed.cli('judge').list(gun), []);
  });

  t.test('with on-failure warn the build goes on, and the receipt says failed', async (t) => {
    const result = await runSigner({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret,
      report: undefined,
      args: ['--on-failure=warn'],
    });
    t.equal(result.code, 0);
    t.match(JSON.parse(result.terminationMessage), { result: 'failed', code: 'REPORT_MISSING' });
    t.match(result.stdout, /warning: the build goes on unsigned/);
  });

  t.test('a key of another repository beside the right one is no harm', async (t) => {
    const result = await runSigner({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret: { ...secret, ...(await keyFile(other, 'targets')) },
      report,
    });
    t.equal(result.receipt.result, 'signed');
  });
});

t.test('--help ends with 0 and every flag; the environment cannot ask for it', async (t) => {
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    runWatched({ program: 'node', args: [SIGNER, ...args], directory: projectDirectory(), env });
  const { code, stdout } = await run(['--key-dir=x', '--help']);
  t.equal(code, 0);
  for (const name of Object.keys(SIGNER_FLAGS)) t.match(stdout, `  --${name}`);
  t.equal((await run([], { KPACK_NOTARY_HELP: 'true' })).code, 2);
});

t.test('a command line that does not parse ends with 2, all problems in one line', async (t) => {
  const { code, stdout } = await runWatched({
    program: 'node',
    args: [SIGNER, '--notary-url=notary.example.com', '--root-pn=x', '--on-failure=ignore'],
    directory: projectDirectory(),
    env: { KPACK_NOTARY_DEADLINE: 'soon' },
  });
  t.equal(code, 2);
  t.match(stdout, /OPTIONS_INVALID/);
  t.match(stdout, /--report is missing/);
  t.match(stdout, /has no scheme/);
  t.match(stdout, /did you mean --root-pin/);
  t.match(stdout, /--on-failure is fail or warn/);
  t.match(stdout, /--deadline/);
});

function without(files: Record<string, string>, suffix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !name.endsWith(suffix)));
}

/** The timestamp that the server serves: it changes with every publish. */
function versions(bed: Bed, gun: string): Promise<string> {
  const url = `${bed.notary.url}/v2/${gun}/_trust/tuf/timestamp.json`;
  return new Promise((resolve, reject) => {
    get(url, { ca: bed.authority.certificatePem }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}
