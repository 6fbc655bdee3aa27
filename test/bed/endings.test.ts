import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startBed } from './bed.ts';
import { spawnBound } from './child.ts';

t.test('a stopped bed leaves neither programs nor files, and may be stopped again', async (t) => {
  const bed = await startBed({ auth: { accounts: {} }, signer: true, storage: 'postgres' });
  const { notary, registry, signer, postgres } = bed;
  const pids = [notary, registry, signer, postgres].map((part) => part?.child.pid ?? 0);
  t.ok(pids.every(isRunning));
  await bed.stop();
  t.notOk(pids.some(isRunning));
  t.notOk(existsSync(bed.directory));
  await bed.stop();
});

const ENDINGS = [
  { signal: 'SIGINT', code: 130, tidy: true },
  { signal: 'SIGTERM', code: 143, tidy: true },
  { signal: 'SIGALRM', code: 142, tidy: true },
  { signal: 'SIGHUP', code: 129, tidy: true },
  { signal: 'SIGUSR2', code: 1, tidy: true, what: 'an uncaught exception' },
  { signal: 'SIGKILL', code: null, tidy: false },
] as const;

for (const { signal, code, tidy, ...ending } of ENDINGS) {
  const what = 'what' in ending ? ending.what : signal;
  t.test(`nothing is left running after ${what}`, async (t) => {
    const script = `
      import { startBed } from ${JSON.stringify(new URL('./bed.js', import.meta.url).href)};
      process.once('SIGUSR2', () => { throw new Error('as a bug would'); });
      const { directory, notary, registry } = await startBed();
      const pids = [notary.child.pid, registry.child.pid];
      console.log(JSON.stringify({ directory, pids }));`;
    const parent = spawnBound({
      program: process.execPath,
      args: ['--input-type=module', '-e', script],
      directory: tmpdir(),
    });
    parent.stderr.resume();
    t.teardown(() => parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { directory, pids } = JSON.parse(line.toString()) as Started;
    t.teardown(async () => {
      for (const pid of pids.filter(isRunning)) process.kill(pid, 'SIGKILL');
      await rm(directory, { recursive: true, force: true });
    });
    t.equal(pids.length, 2);
    t.ok(pids.every(isRunning));

    parent.kill(signal);
    const [exitCode] = (await once(parent, 'exit')) as [number | null];
    t.equal(exitCode, code);
    t.ok(await within(30_000, () => !pids.some(isRunning)));
    if (tidy) t.notOk(existsSync(directory));
  });
}

interface Started {
  readonly directory: string;
  readonly pids: readonly number[];
}

/** Whether a process is there and not merely waiting for its parent to notice its end. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether something comes true within a number of milliseconds. */
async function within(limit: number, condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + limit;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await pause(10);
  }
  return true;
}
