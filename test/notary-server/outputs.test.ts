import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startBed, type Bed } from '../bed/bed.ts';
import { succeed } from '../bed/command.ts';
import { FORWARD, startProxy, type ProxiedRequest, type ProxyAction } from '../bed/proxy.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner, runWatched, SIGNER } from '../support/signer-run.ts';

const SHA256 = 'd'.repeat(64);

t.test('whatever happens, last line, receipt and termination message say the same', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/app';
  const secret = await secretOf(bed, await initRepository(bed, gun));
  const run = (tag: string, args: readonly string[], notaryUrl = bed.notary.url) => {
    const report = reportToml([`${gun}:${tag}`], SHA256, 7);
    return runSigner({ directory: bed.directory, notaryUrl, secret, report, args });
  };

  t.test('a receipt that cannot be written is a failure, and the tag is signed', async (t) => {
    const { directory, args } = await files(bed, gun, 'full');
    const log = join(directory, 'log');
    const { code, stdout } = await signer([
      ...args,
      '--receipt=/dev/full',
      `--termination-log=${log}`,
    ]);
    t.equal(code, 1);
    const [sentence, lastLine] = stdout.trimEnd().split('\n').slice(-2);
    t.equal(lastLine, '1 of 1 repositories were signed');
    t.match(sentence, /OUTPUT_UNWRITABLE\): \/dev\/full cannot be written \(ENOSPC\).*signed/);
    t.equal(await readFile(log, 'utf8'), sentence);
    t.same(await bed.cli('judge').lookup(gun, 'full'), { sha256: SHA256, length: 7 });
  });

  t.test('a log that nobody reads ends nothing early', async (t) => {
    const { directory, args } = await files(bed, gun, 'unread');
    const log = join(directory, 'log');
    const { code } = await runWatched({
      program: 'bash',
      args: ['-c', '"$@" > /dev/full', '-', 'node', SIGNER, ...args, `--termination-log=${log}`],
      directory,
    });
    t.equal(code, 0);
    t.match(JSON.parse(await readFile(log, 'utf8')), { result: 'signed' });
  });

  t.test('a command line that does not parse is told in every place', async (t) => {
    const { directory } = await files(bed, gun, 'usage');
    const log = join(directory, 'log');
    const { code, stdout } = await signer([`--termination-log=${log}`, '--log-format=json']);
    t.equal(code, 2);
    t.match(JSON.parse(stdout), { result: 'failed', code: 'OPTIONS_INVALID' });
    t.match(await readFile(log, 'utf8'), 'notary-sign failed (OPTIONS_INVALID)');
  });

  t.test('a report that is a pipe is not waited for', async (t) => {
    const { directory, args } = await files(bed, gun, 'pipe');
    const pipe = join(directory, 'pipe');
    await succeed({ program: 'mkfifo', args: [pipe], directory });
    const { code, stdout } = await signer([...args.slice(1), `--report=${pipe}`]);
    t.equal(code, 1);
    t.match(stdout, /FILE_UNREADABLE\): .*pipe is not a file/);
  });

  t.test('through a proxy', async (t) => {
    const through = async (
      rule: (request: ProxiedRequest) => ProxyAction,
      tag: string,
      args: string[] = [],
    ) => {
      const proxy = await startProxy({ authority: bed.authority, target: bed.notary.url, rule });
      try {
        return await run(tag, args, proxy.url);
      } finally {
        await proxy.stop();
      }
    };
    t.test('a lost answer to a publish that was stored: signed', async (t) => {
      const result = await through(
        ({ method }) => (method === 'POST' ? { kind: 'forward', loses: 'answer' } : FORWARD),
        'lost',
      );
      t.equal(result.code, 0, result.stdout);
      t.same(await bed.cli('judge').lookup(gun, 'lost'), { sha256: SHA256, length: 7 });
    });
    t.test('a publish that broke before it was stored: not signed', async (t) => {
      const result = await through(
        ({ method }) => (method === 'POST' ? { kind: 'reset' } : FORWARD),
        'broken',
      );
      t.equal(result.receipt.code, 'SERVER_UNREACHABLE', 'known since it was read back');
      t.equal(await bed.cli('judge').lookup(gun, 'broken'), undefined);
    });
    t.test(
      "a server's words cannot forge a line, nor break the limit of the last words",
      async (t) => {
        const message = '\u001b[2J\nsigned: everything\n'.repeat(200);
        const body = JSON.stringify({ errors: [{ code: 'X', message }] });
        for (const args of [[], ['--on-failure=warn']]) {
          const result = await through(() => ({ kind: 'answer', status: 500, body }), 'x', args);
          t.notMatch(result.stdout, /^signed/m);
          t.notOk(result.stdout.includes('\u001b'));
          t.ok(Buffer.byteLength(result.terminationMessage) <= 1024);
          t.equal(result.receipt.code, 'SERVER_FAILED');
        }
      },
    );
    t.test('metadata of endless length, or depth, is not swallowed', async (t) => {
      const long = await through(
        () => ({ kind: 'answer', status: 200, body: 'x'.repeat(2 * 1024 * 1024) }),
        'x',
      );
      t.equal(long.receipt.code, 'METADATA_TOO_LARGE');
      t.match(long.lastLine, /(root|timestamp).json of .* has more than 1048576 bytes/);
      const deep = `{"signed":{"_type":"Root","x":${'['.repeat(50_000)}${']'.repeat(50_000)}},"signatures":[]}`;
      const nested = await through(() => ({ kind: 'answer', status: 200, body: deep }), 'x');
      t.equal(nested.receipt.code, 'METADATA_INVALID');
    });
    t.test('a page of another server is not taken for metadata', async (t) => {
      const page = await through(() => ({ kind: 'answer', status: 200, body: '<html>' }), 'x');
      t.equal(page.receipt.code, 'NOT_A_NOTARY_SERVER');
    });
  });
});

/** Secret and report in a directory of their own, and the flags for them. */
async function files(bed: Bed, gun: string, tag: string) {
  const directory = await mkdtemp(join(bed.directory, 'files-'));
  const cli = bed.cli('owner-0');
  const key = join(directory, 'key');
  await mkdir(key);
  for (const [name, text] of Object.entries(await secretOf(bed, cli))) {
    await writeFile(join(key, name), text);
  }
  const report = join(directory, 'report.toml');
  await writeFile(report, reportToml([`${gun}:${tag}`], SHA256, 7));
  const args = [`--report=${report}`, `--key-dir=${key}`, `--notary-url=${bed.notary.url}`];
  return { directory, args };
}

function signer(args: readonly string[]) {
  return runWatched({ program: 'node', args: [SIGNER, ...args], directory: projectDirectory() });
}
