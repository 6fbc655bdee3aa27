/**
 * Programs that are built once from a Go module, and kept in the user's cache directory.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { atExit } from './cleanup.ts';
import { findProgram } from './installed.ts';
import { holdLock } from './lock.ts';
import { projectDirectory } from './project-directory.ts';

/** A folder of `test/bed` with go.mod and go.sum, and no code. */
export interface GoModule {
  readonly directory: string;
  readonly ldflags: string;
  /** Where its programs go: another one for other versions or flags. */
  readonly cache: string;
  /** The version of a module that go.mod requires, such as `v1.36.3`. */
  versionOf(module: string): string;
}

/** A program to build. */
export interface GoProgram {
  /** The name of its executable. */
  readonly name: string;
  /** Its package. */
  readonly source: string;
  readonly version: string;
  /** What it takes on two cores where nothing is cached. */
  readonly seconds: number;
}

/**
 * The module in a folder of `test/bed`.
 *
 * @param ldflags makes the flags of the linker, when go.mod is read
 */
export function goModule(
  name: string,
  ldflags: (versionOf: GoModule['versionOf']) => string = () => '-s -w',
): GoModule {
  const directory = join(projectDirectory(), 'test/bed', name);
  const [goMod = '', goSum = ''] = ['go.mod', 'go.sum'].map((file) =>
    readFileSync(join(directory, file), 'utf8'),
  );
  const versionOf = (module: string) => {
    const line = goMod.split('\n').find((text) => text.trim().startsWith(`${module} v`));
    return line?.trim().split(' ')[1] ?? '';
  };
  const flags = ldflags(versionOf);
  const inputs = [goMod, goSum, flags, process.platform, process.arch];
  const key = createHash('sha256').update(inputs.join('\0')).digest('hex').slice(0, 16);
  const caches = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const cache = join(caches, 'kpack-notary', `${name}-${key}`);
  return { directory, ldflags: flags, cache, versionOf };
}

/**
 * Builds programs of a module. Two processes that want to build take turns, and none of them ever
 * sees half a program.
 *
 * @param missing says which of them are not there yet
 * @throws Error when there is no Go, or with Go's output when it cannot build them
 */
export async function buildInTurn(
  module: GoModule,
  missing: () => readonly GoProgram[],
): Promise<void> {
  const go = findProgram('go');
  if (go === undefined) {
    const names = missing().map(({ name }) => name);
    throw new Error(`there is no Go on PATH to build ${names.join(', ')} with`);
  }
  mkdirSync(module.cache, { recursive: true });
  const flock = findProgram('flock');
  // Without a lock two processes may both build; renaming keeps either result whole.
  const release = flock === undefined ? undefined : await holdLock(flock, `${module.cache}.lock`);
  try {
    // Another process may have built them while this one waited for the lock.
    const programs = missing();
    if (programs.length > 0) await build(go, module, programs);
  } finally {
    release?.();
  }
}

async function build(go: string, module: GoModule, programs: readonly GoProgram[]): Promise<void> {
  const { cache, ldflags } = module;
  const started = performance.now();
  const what = programs.map(({ name, version }) => `${name} ${version}`).join(', ');
  const seconds = programs.reduce((sum, program) => sum + program.seconds, 0);
  const minutes = Math.ceil(seconds / 60);
  const time = minutes === 1 ? 'a minute' : `${minutes} minutes`;
  console.log(`Building ${what} into ${cache}: about ${time} on 2 cores, once`);
  const unfinished = mkdtempSync(`${cache}-unfinished-`);
  const forget = atExit(() => rmSync(unfinished, { recursive: true, force: true }));
  try {
    for (const { name, source } of programs) {
      const file = join(unfinished, name);
      await run(go, module, ['build', '-trimpath', '-ldflags', ldflags, '-o', file, source]);
      renameSync(file, join(cache, name));
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    forget();
  }
  console.log(`Built ${what} in ${Math.round((performance.now() - started) / 1000)} s`);
}

/** Runs Go with this process's environment, which may hold its proxies and caches. */
async function run(go: string, module: GoModule, args: readonly string[]): Promise<void> {
  const child = spawn(go, args, {
    cwd: module.directory,
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const forget = atExit(() => child.kill());
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(forget);
  if (code !== 0) throw new Error(`go ${args.join(' ')} failed:\n${output.slice(-4000)}`);
}
