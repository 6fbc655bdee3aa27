import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runCommand, succeed } from '../bed/command.ts';
import { projectDirectory } from '../bed/project-directory.ts';

const PROGRAM = `
  const values = [process.argv.slice(2), __filename, typeof require('node:fs').readFileSync];
  process.stdout.write(JSON.stringify(values));
  process.exitCode = 3;`;

t.test('the program runs as by itself, with its code cache', async (t) => {
  const place = await placeWith(t, PROGRAM);
  t.equal((await place.codeCache('make')).code, 0);
  t.same(await place.codeCache('check'), { code: 0, stdout: '', stderr: '' });
  t.equal(await place.isRefused(), false);
  const { code, stdout, stderr } = await place.start(['--flag', 'word']);
  t.same(JSON.parse(stdout), [
    ['--flag', 'word'],
    join(place.directory, 'program.cjs'),
    'function',
  ]);
  t.equal(code, 3);
  t.equal(stderr, '');
});

t.test('the same program has the same cache every time', async (t) => {
  const caches: Buffer[] = [];
  for (const round of [1, 2, 3]) {
    const place = await placeWith(t, await readFile(bundle('signer'), 'utf8'), `${round}`);
    t.equal((await place.codeCache('make-whole')).code, 0);
    caches.push(await readFile(place.cache));
  }
  t.ok(caches[0]?.equals(caches[1] ?? Buffer.of()) && caches[0].equals(caches[2] ?? Buffer.of()));
});

t.test('a cache of the whole has functions that a start does not call', async (t) => {
  const place = await placeWith(
    t,
    `const late = () => { ${'console.log(1);'.repeat(1000)} }; ${PROGRAM}
    if (process.argv[2] === 'late') late();`,
  );
  t.equal((await place.codeCache('make')).code, 0);
  const { length } = await readFile(place.cache);
  await rm(place.cache);
  t.equal((await place.codeCache('make-whole')).code, 0);
  t.equal((await place.codeCache('check')).code, 0);
  t.ok((await readFile(place.cache)).length > length + 1000);
});

t.test('what sets V8 flags as it starts is started before that, with its cache', async (t) => {
  for (const name of ['signer', 'webhook'] as const) {
    const place = await placeWith(t, await readFile(bundle(name), 'utf8'), name);
    t.equal((await place.codeCache('make-whole')).code, 0);
    t.equal((await place.codeCache('check')).code, 0);
    const direct = await place.run([bundle(name), '--help']);
    t.equal(direct.code, 0);
    t.same(await place.start(['--help']), direct, `${name} says the same as without`);
  }
});

t.test('a cache that V8 refuses, or none, fails the build and not the program', async (t) => {
  const place = await placeWith(t, PROGRAM);
  const spoil: readonly (readonly [what: string, work: () => Promise<void>, said: RegExp])[] = [
    ['none', () => rm(place.cache), /was not found/],
    ['of nothing', () => writeFile(place.cache, ''), /was refused by V8/],
    ['of something else', () => writeFile(place.cache, 'no cache at all'), /was refused by V8/],
    [
      'cut',
      async () => writeFile(place.cache, (await readFile(place.cache)).subarray(0, -8)),
      /was refused by V8/,
    ],
    [
      'of another program',
      async () => writeFile(join(place.directory, 'program.cjs'), `${PROGRAM} ;`),
      /was refused by V8/,
    ],
  ];
  const expected = await place.start([]);
  t.equal(expected.code, 3);
  for (const [what, work, said] of spoil) {
    await rm(place.cache, { force: true });
    await writeFile(join(place.directory, 'program.cjs'), PROGRAM);
    t.equal((await place.codeCache('make')).code, 0);
    await work();
    const check = await place.codeCache('check');
    t.equal(check.code, 1, what);
    t.match(check.stderr, said);
    t.match(check.stderr, place.cache);
    t.same(await place.start([]), expected);
  }
});

t.test('flags of V8 that the cache was not made under cost the cache alone', async (t) => {
  const place = await placeWith(t, PROGRAM);
  t.equal((await place.codeCache('make')).code, 0);
  t.equal(await place.isRefused('--max-old-space-size=100'), true);
  t.same(await place.start([], '--max-old-space-size=100'), await place.start([]));
});

/** A directory as in an image, and node to run in it. */
async function placeWith(t: Test, program: string, name = 'image') {
  const directory = join(t.testdir({ [name]: {} }), name);
  const start = join(directory, 'start.cjs');
  await copyFile(script('start'), start);
  await writeFile(join(directory, 'program.cjs'), program);
  const run = (args: readonly string[]) =>
    runCommand({ program: process.execPath, args, directory });
  return {
    directory,
    cache: join(directory, 'program.cache'),
    run,
    codeCache: (task: 'make' | 'make-whole' | 'check') =>
      run([...(task === 'check' ? [] : ['--random-seed=1']), script('code-cache'), task, start]),
    /** Starts it, with flags of V8. */
    start: (args: readonly string[], ...flags: readonly string[]) =>
      run([...flags, start, ...args]),
    /** Whether V8 refuses the cache when it has such flags. */
    isRefused: async (...flags: readonly string[]) => {
      const code = `const { compile, readCodeCache } = require(${JSON.stringify(start)});
        console.log(compile(readCodeCache()).cachedDataRejected)`;
      const args = [...flags, '--eval', code];
      return JSON.parse(await succeed({ program: process.execPath, args, directory })) as boolean;
    },
  };
}

function script(name: 'start' | 'code-cache'): string {
  return join(projectDirectory(), 'image', `${name}.cjs`);
}

function bundle(name: 'signer' | 'webhook'): string {
  return join(projectDirectory(), 'dist', `${name}.cjs`);
}
