import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { runCommand, type CommandResult } from './command.ts';
import { runIsolated, whyNotIsolated } from './isolation.ts';

const reason = whyNotIsolated();
if (reason !== undefined) {
  t.plan(0, reason);
  process.exit();
}

/** Starts a process that nobody waits for, makes a control group, and writes where it may. */
const MESSY = `
  import { spawn } from 'node:child_process';
  import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
  const [cgroup, out, ending] = process.argv.slice(2);
  spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref();
  for (const name of readdirSync('/sys/fs/cgroup')) {
    const group = '/sys/fs/cgroup/' + name + cgroup;
    try {
      mkdirSync(group + '/inner');
      writeFileSync(group + '/inner/cgroup.procs', String(process.pid));
    } catch {} // A link, or no controller.
  }
  for (const place of ['/run', '/var/log', '/var/lib/kubelet', '/dev/shm', process.env.TMPDIR]) {
    writeFileSync(place + '/left-by-test', '');
  }
  writeFileSync(out, JSON.stringify({ cgroup, pids: readdirSync('/proc').filter(Number).length }));
  if (ending === 'wait') setInterval(() => undefined, 1000);
  else process.exit(Number(ending));
`;

t.test('a script finds nobody else, and leaves nothing behind', async (t) => {
  const { script, out } = await place(t);
  const run = await runIsolated(script, [out, '7']);
  t.same(run, { code: 7, left: [] });
  const { pids } = JSON.parse(await readFile(out, 'utf8')) as { pids: number };
  t.ok(pids < 5, 'no process but its own');
  t.same(await remains(out), []);
});

t.test('nor does one that is interrupted', async (t) => {
  const { script, out } = await place(t);
  const started = start(t, script, out);
  while (!existsSync(out)) await pause(20);
  started.stop();
  const { code } = await started.result;
  t.equal(code, 143);
  t.same(await remains(out), []);
});

async function place(t: Test) {
  const directory = t.testdir();
  const script = join(directory, 'messy.mjs');
  await writeFile(script, MESSY);
  return { script, out: join(directory, 'out.json') };
}

/** The same in another process, which can be ended. */
function start(t: Test, script: string, out: string) {
  const module = JSON.stringify(new URL('./isolation.js', import.meta.url).href);
  const text = `
    import { runIsolated } from ${module};
    console.log(process.pid);
    await runIsolated(${JSON.stringify(script)}, [${JSON.stringify(out)}, 'wait']);`;
  let pid: number | undefined;
  const result: Promise<CommandResult> = runCommand({
    program: process.execPath,
    args: ['--input-type=module', '-e', text],
    directory: t.testdirName,
    onOutput: (line) => (pid ??= Number(line)),
  });
  return { result, stop: () => pid !== undefined && process.kill(pid, 'SIGTERM') };
}

/** Control groups, and files where the script wrote some. */
async function remains(out: string): Promise<string[]> {
  const { cgroup } = JSON.parse(await readFile(out, 'utf8')) as { cgroup: string };
  const controllers = await readdir('/sys/fs/cgroup');
  const groups = controllers.map((name) => `/sys/fs/cgroup/${name}${cgroup}`);
  const files = ['/run', '/var/log', '/var/lib/kubelet', '/dev/shm'];
  return [
    `/sys/fs/cgroup${cgroup}`,
    ...groups,
    ...files.map((name) => `${name}/left-by-test`),
  ].filter((path) => existsSync(path));
}
