import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { runCommand } from './command.ts';
import { searchPath } from './installed.ts';

const moduleUrl = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);

/** What Go would take minutes for: writes a program, slowly, and notes that it did. */
const GO = `#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo "$3" >>"$LOG"
printf '#!/bin/sh\\n' >"$2" && sleep 0.3 && echo 'echo "built, $0"' >>"$2" && chmod +x "$2"
`;

t.test('two processes that need the programs at once have them built once', async (t) => {
  const place = await placeWithGo(t, GO);
  const results = await Promise.all([place.build(), place.build()]);
  t.same(
    results.map(({ code }) => code),
    [0, 0],
  );
  const printed = results.map(({ stdout }) => stdout).join('');
  t.equal(
    printed.match(/^Building etcd v3[\d.]+, kube-apiserver v1[\d.]+, kubectl v/gm)?.length,
    1,
  );
  t.match(printed, 'about 7 minutes on 2 cores, once\n');
  t.match(printed, /^Built .* in \d+ s$/m);
  const sources = (await readFile(join(place.directory, 'go.log'), 'utf8')).trim().split('\n');
  t.same(sources, [
    'go.etcd.io/etcd/server/v3',
    'k8s.io/kubernetes/cmd/kube-apiserver',
    'k8s.io/kubernetes/cmd/kubectl',
  ]);
  t.same(await place.left(), ['etcd', 'kube-apiserver', 'kubectl']);
  t.same((await place.build()).stdout, '', 'the third finds them');
});

t.test('what Go says when it cannot build them is shown, and nothing is left', async (t) => {
  const place = await placeWithGo(t, '#!/bin/sh\necho "no such module" >&2\nexit 1\n');
  const { code, stderr } = await place.build();
  t.equal(code, 1);
  t.match(stderr, /go build .* failed:\nno such module/);
  t.same(await place.left(), []);
});

t.test('KUBEBUILDER_ASSETS comes first, and has to have them', async (t) => {
  const directory = t.testdir();
  const env = { KUBEBUILDER_ASSETS: directory };
  const script = `
    import { ensureKubernetes } from ${moduleUrl('./kubernetes-programs.js')};
    await ensureKubernetes().then((found) => console.log(JSON.stringify(found)), console.log);`;
  const args = ['--input-type=module', '-e', script];
  const lacking = await runCommand({ program: process.execPath, args, directory, env });
  t.match(lacking.stdout, `KUBEBUILDER_ASSETS is ${directory}, which lacks`);

  const [etcd, kubeApiserver] = ['etcd', 'kube-apiserver'].map((name) => join(directory, name));
  for (const file of [etcd, kubeApiserver]) await program(file ?? '', GO);
  const found = await runCommand({ program: process.execPath, args, directory, env });
  t.same(JSON.parse(found.stdout), { etcd, kubeApiserver });
});

t.test('without Go and assets a test file is skipped, aloud', async (t) => {
  const directory = t.testdir();
  const script = `
    import t from ${JSON.stringify(import.meta.resolve('tap'))};
    import { needKubernetes } from ${moduleUrl('./kubernetes-programs.js')};
    needKubernetes(t, '');
    console.log('it went on');`;
  const { code, stdout } = await runCommand({
    program: process.execPath,
    args: ['--input-type=module', '-e', script],
    directory,
    env: { XDG_CACHE_HOME: directory },
  });
  t.equal(code, 0);
  t.notMatch(stdout, 'it went on');
  t.match(stdout, /^1\.\.0 # there is no real kube-apiserver: .*Go.*KUBEBUILDER_ASSETS/m);
});

/** A machine with this Go, on which nothing was built yet. */
async function placeWithGo(t: Test, go: string) {
  const directory = t.testdir();
  await program(join(directory, 'go'), go);
  return {
    directory,
    build: () =>
      runCommand({
        program: process.execPath,
        args: [new URL('./kubernetes-main.js', import.meta.url).pathname],
        directory,
        env: {
          PATH: `${directory}:${searchPath()}`,
          XDG_CACHE_HOME: join(directory, 'cache'),
          LOG: join(directory, 'go.log'),
        },
      }),
    /** What is in the cache, beside the lock and the directory that the programs go into. */
    left: async () => {
      const names = await readdir(join(directory, 'cache', 'kpack-notary'), { recursive: true });
      const others = names.filter((name) => !/^kubernetes-[0-9a-f]+(?:\.lock)?$/.test(name));
      return others.map((name) => basename(name)).sort();
    },
  };
}

async function program(file: string, text: string): Promise<void> {
  await writeFile(file, text);
  await chmod(file, 0o755);
}
