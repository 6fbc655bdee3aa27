import { join } from 'node:path';
import t from 'tap';
import { createAuthority } from '../bed/authority.ts';
import { runCommand } from '../bed/command.ts';
import { freePort } from '../bed/port.ts';

const [WEBHOOK, SIGNER] = ['dist/webhook.cjs', 'dist/signer.cjs'];

/** Exit code and stderr of a script of bash, which gets words as its arguments. */
function bash(script: string, ...words: readonly string[]) {
  return runCommand({
    program: 'bash',
    args: ['-c', script, '-', ...words],
    directory: process.cwd(),
  });
}

t.test('a reader of standard output that has gone is no failure, a full disk is one', async (t) => {
  for (const [program, ...words] of [
    [WEBHOOK, '--help'],
    [WEBHOOK, 'explain', '--help'],
    [WEBHOOK, 'explain', `--manifests=${t.testdir({})}`],
    [SIGNER, '--help'],
  ] as const) {
    const full = await bash('node "$@" > /dev/full', program, ...words);
    t.match(full, { code: 1, stderr: '' }, `${program} ${words[0]}`);
    const gone = await bash('(sleep 0.2; node "$@"; echo $? >&2) | true', program, ...words);
    t.equal(gone.stderr, '0\n', `${program} ${words[0]}`);
  }
});

t.test('a webhook whose log cannot be written serves, and ends when it is told to', async (t) => {
  const directory = t.testdir({ manifests: {} });
  const ca = await createAuthority(join(directory, 'ca'));
  const { certificateFile, keyFile } = await ca.issue({ name: 'webhook' });
  const port = await freePort();
  const script = `node "$@" > /dev/full &
    until curl -ksf https://127.0.0.1:${port}/healthz; do sleep 0.1; done
    kill -TERM $!; wait $!`;
  const ended = await bash(
    script,
    WEBHOOK,
    `--manifests=${join(directory, 'manifests')}`,
    `--tls-cert=${certificateFile}`,
    `--tls-key=${keyFile}`,
    '--signer-image=registry.test/signer:1',
    `--port=${port}`,
    '--metrics-port=0',
    '--shutdown-delay=0',
  );
  t.match(ended, { code: 0, stderr: '' });
});
