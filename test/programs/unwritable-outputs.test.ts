import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runCommand, succeed } from '../bed/command.ts';
import { reportToml, runWatched, SIGNER } from '../support/signer-run.ts';

/** A run that fails, since there is no report, with its files in a directory of its own. */
function failingSigner(t: Test) {
  const directory = t.testdir({});
  const file = (name: string) => join(directory, name);
  const run = (...args: readonly string[]) => {
    const needed = ['--notary-url=https://notary.test', `--key-dir=${directory}`];
    const report = `--report=${file('report.toml')}`;
    const words = [SIGNER, report, ...needed, `--error-file=${file('error')}`, ...args];
    return runWatched({ program: 'node', args: words, directory });
  };
  return { directory, file, run };
}

t.test('why nothing was signed is told, also where an output cannot be written', async (t) => {
  const { file, run } = failingSigner(t);
  const { code, stdout } = await run('--receipt=/dev/full', `--termination-log=${file('log')}`);
  t.equal(code, 1);
  const words =
    /^notary-sign failed \(REPORT_MISSING\): there is no .*; besides, \/dev\/full cannot be written \(ENOSPC\)\. Fix: Look at the log of the export/;
  t.match(stdout, words);
  t.match(await readFile(file('log'), 'utf8'), words);
  t.match(await readFile(file('error'), 'utf8'), words);
});

t.test('under warn the next step begins, whatever receipt cannot be written', async (t) => {
  const { file, run } = failingSigner(t);
  const { code } = await run(
    '--on-failure=warn',
    '--receipt=/dev/full',
    `--done-file=${file('done')}`,
  );
  t.equal(code, 0);
  t.equal(await readFile(file('done'), 'utf8'), 'failed\n');
  t.notOk(existsSync(file('error')));
});

t.test('under warn the next step does not wait for a done file that never comes', async (t) => {
  const { file, run } = failingSigner(t);
  await run('--on-failure=warn', '--done-file=/nowhere/done');
  t.ok(existsSync(file('error')));
});

t.test('under warn a signer that is stopped while it waits lets nobody begin', async (t) => {
  const { file, directory } = failingSigner(t);
  const script = `node "$@" > ${file('out')} & until grep -q waiting ${file('out')}; do :; done; kill -TERM $!; wait $!`;
  const { code } = await runWatched({
    program: 'bash',
    args: [
      '-c',
      script,
      '-',
      SIGNER,
      `--report=${file('report.toml')}`,
      '--notary-url=https://notary.test',
      `--key-dir=${directory}`,
      '--on-failure=warn',
      `--wait-file=${file('export')}`,
      `--done-file=${file('done')}`,
    ],
    directory,
  });
  t.equal(code, 0);
  t.match(await readFile(file('out'), 'utf8'), 'failed (TERMINATED)');
  t.notOk(existsSync(file('done')));
});

t.test('an output that is a pipe which nobody reads is not waited for', async (t) => {
  const { file, directory } = failingSigner(t);
  for (const name of ['pipe', 'error.notary-sign']) {
    await succeed({ program: 'mkfifo', args: [file(name)], directory });
  }
  const { code, stdout } = await runCommand({
    program: 'node',
    args: [
      SIGNER,
      `--report=${file('report.toml')}`,
      '--notary-url=https://notary.test',
      `--key-dir=${directory}`,
      `--receipt=${file('pipe')}`,
      `--error-file=${file('error')}`,
    ],
    directory,
  });
  t.equal(code, 1);
  t.match(stdout, /REPORT_MISSING\): .*besides, .* cannot be written \(ENXIO\)/);
});

t.test('a server that goes over to another protocol does not end a run as signed', async (t) => {
  const { directory, file } = failingSigner(t);
  const server = createServer((socket) => {
    const answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
    socket.on('error', () => undefined).once('data', () => socket.write(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  await mkdir(file('key'));
  const ec = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const key = join(file('key'), 'a.key');
  await succeed({ program: 'openssl', args: [...ec, '-out', key], directory });
  const tag = 'registry.test/demo/app:1';
  await writeFile(file('report.toml'), reportToml([tag], 'a'.repeat(64), 7));
  const args = [
    SIGNER,
    `--report=${file('report.toml')}`,
    `--key-dir=${file('key')}`,
    `--notary-url=http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    `--termination-log=${file('log')}`,
  ];
  const { code } = await runWatched({ program: 'node', args, directory });
  t.equal(code, 1);
  t.match(await readFile(file('log'), 'utf8'), /^notary-sign failed \(SERVER_FAILED\).*HTTP 101/);
});
