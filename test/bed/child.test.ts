import t from 'tap';
import { startChild } from './child.ts';
import { runCommand, succeed } from './command.ts';
import { searchPath } from './installed.ts';
import { freePort } from './port.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const directory = temporaryDirectory();
const node = { program: process.execPath, directory };

t.test('programs get a clean environment: PATH, HOME and what is given', async (t) => {
  t.intercept(process, 'env', {
    value: { ...process.env, NODE_EXTRA_CA_CERTS: '/a', SSL_CERT_FILE: '/b', SSL_CERT_DIR: '/c' },
  });
  const command = { program: 'env', args: ['-0'], directory, env: { GIVEN: 'yes' } };
  const variables = (await succeed(command)).split('\0').slice(0, -1);
  // The test runner adds its own behind our back, to measure coverage.
  const own = variables.filter((text) => !/^(_TAPJS_\w+|NODE_OPTIONS|NODE_V8_\w+)=/.test(text));
  t.same(own.sort(), ['GIVEN=yes', `HOME=${directory}`, `PATH=${searchPath()}`]);
});

t.test('a program that cannot get ready is an error that shows its output', async (t) => {
  const never = { ready: () => false };
  await t.rejects(
    startChild({
      ...node,
      args: ['-e', 'console.error("no such thing"); process.exit(3)'],
      ...never,
    }),
    /ended with exit code 3 before it was ready:\nno such thing$/,
  );
  const idle = { program: 'sh', args: ['-c', 'echo $$; exec sleep 60'], directory };
  const late = startChild({ ...idle, ...never, timeLimit: 500 });
  const error: unknown = await late.catch((reason: unknown) => reason);
  t.match(error, { message: /was not ready after 500 ms:\n\d+$/ });
  const pid = Number(/\d+$/.exec(String(error))?.[0]);
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'and it is gone');
  await t.rejects(startChild({ program: 'no-such-program', directory, ...never }), {
    message: 'no-such-program is not installed',
  });
  const failing = { ready: () => Promise.reject(new Error('asked in vain')) };
  await t.rejects(startChild({ ...idle, ...failing }), /asked in vain/);
});

t.test('a program is ready when its port accepts', async (t) => {
  const port = await freePort();
  const answer = '(request, response) => response.end("here")';
  const script = `require('node:http').createServer(${answer}).listen(${port}, '127.0.0.1')`;
  const child = await startChild({ ...node, args: ['-e', script], ready: port });
  t.teardown(() => child.stop());
  t.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'here');
  child.kill('SIGKILL');
  await child.stop();
  t.throws(() => process.kill(child.pid, 0), { code: 'ESRCH' });
});

t.test('a program that ignores SIGTERM is killed', async (t) => {
  const script = 'process.on("SIGTERM", () => console.log("no")); setInterval(() => {}, 1000);';
  const child = await startChild({
    ...node,
    args: ['-e', `${script} console.log('ready')`],
    ready: (output) => output.includes('ready'),
  });
  await child.stop();
  t.throws(() => process.kill(child.pid, 0), { code: 'ESRCH' });
  t.equal(child.output(), 'ready\nno\n', 'it was asked first');
});

t.test('of a talkative program the end of its output is kept', async (t) => {
  const script = 'console.log("x".repeat(300_000) + "end"); setInterval(() => {}, 1000)';
  const ready = (output: string): boolean => output.endsWith('end\n');
  const child = await startChild({ ...node, args: ['-e', script], ready });
  t.teardown(() => child.stop());
  t.equal(child.output().length, 64 * 1024);
});

t.test('a command tells how it ended', async (t) => {
  const script = 'console.log("out"); console.error("err"); process.exit(7)';
  const command = { ...node, args: ['-e', script] };
  t.same(await runCommand(command), { code: 7, stdout: 'out\n', stderr: 'err\n' });
  await t.rejects(succeed(command), /ended with exit code 7\nout\nerr$/);
  const idle = { ...node, args: ['-e', 'setInterval(() => {}, 1000)'], timeLimit: 300 };
  await t.rejects(runCommand(idle), /was ended by SIGKILL/);
});
