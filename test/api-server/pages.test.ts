import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { objectThatSays, type Words } from '../support/notary-rule.ts';
import { until } from '../support/program.ts';
import { P, section } from '../support/build-fixture.ts';
import { KPACK_RULE } from '../fixes/kpack-rule.ts';
import { pageCommands } from '../fixes/page-commands.ts';
import { adminShell } from '../fixes/people.ts';
import { inShell, type Shell } from '../fixes/scenario.ts';

const NAMESPACE = 'team';
/** An Image that says how to sign by annotations, and one with kpack's section. */
const [ANNOTATED, SECTION] = ['app', 'old'] as const;
const ANNOTATIONS = {
  [`${P}v1.url`]: 'https://notary.example.com',
  [`${P}v1.secretRef`]: 'notary-signing',
};
const BUILD_NEEDED = 'image.kpack.io/additionalBuildNeeded';
const TROUBLESHOOTING = 'docs/how-to/troubleshooting.md';
/** What their commands build, and the certificates that they change, other tests play. */
const OTHER_PAGES = /\/(?:images|certificates)\.md$/;
/** How much of what a command said is shown, in characters. */
const SHOWN = 800;

type Annotated = KubeReference & {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
};

const cluster = await startTestCluster(t);
const { api } = cluster;
await cluster.namespace(NAMESPACE, { labels: { [`${P}signing`]: 'enabled' } });
await store(ANNOTATED, { annotations: ANNOTATIONS });
await store(SECTION, { notary: section() });
for (const object of KPACK_RULE) demand(await api.apply(object));
const shell = await readersShell();
await until(async () => !(await annotate('images.kpack.io', SECTION, 'x/y=z')).ok);

/** An Image, and two Builds of it, as kpack's controller would have made them. */
async function store(name: string, words: Words): Promise<void> {
  const options = { as: KPACK_USER };
  const image = objectThatSays('Image', 'kpack.io/v1alpha2', words, name);
  const metadata = { ...image.metadata, namespace: NAMESPACE };
  demand(await api.create({ ...image, metadata }));
  for (const number of ['1', '2']) {
    const build = objectThatSays('Build', 'kpack.io/v1alpha2', words, `${name}-build-${number}`);
    const labels = { 'image.kpack.io/image': name, 'image.kpack.io/buildNumber': number };
    const { metadata } = build;
    demand(
      await api.create(
        { ...build, metadata: { ...metadata, namespace: NAMESPACE, labels } },
        options,
      ),
    );
    // Builds are told apart by the second in which they were made.
    if (number === '1')
      await new Promise((resolve) => setTimeout(resolve, 1001 - (Date.now() % 1000)));
  }
}

/** A clone of the project in which somebody made a kustomization, and has the programs. */
async function readersShell(): Promise<Shell> {
  const own = await adminShell(cluster.apiserver);
  const { directory, env = {}, programs = '' } = own;
  const root = projectDirectory();
  await cp(join(root, 'deploy'), join(directory, 'deploy'), { recursive: true });
  await symlink(join(root, 'dist'), join(directory, 'dist'));
  await mkdir(join(directory, 'my-cluster'));
  await writeFile(join(directory, 'my-cluster/kustomization.yaml'), 'resources: [../deploy]\n');
  await mkdir(join(directory, '.kube'));
  await symlink(env['KUBECONFIG'] ?? '', join(directory, '.kube/config'));
  for (const file of ['tls.crt', 'tls.key', 'ca.crt', 'tsa-root.crt']) {
    await writeFile(join(directory, file), `what the reader has as ${file}`);
  }
  const bin = join(directory, 'bin');
  await mkdir(bin);
  await symlink(join(programs, 'kubectl'), join(bin, 'kubectl'));
  return { directory, env, programs: bin };
}

async function run(command: string, name: string = ANNOTATED) {
  const filled = command
    .replaceAll('NAMESPACE', NAMESPACE)
    .replace(/(?<![$A-Z])BUILD(?![=A-Z])/g, `${name}-build-2`)
    .replace(/\bNAME\b/g, name)
    .replace(/\bPOD\b/g, 'some-pod')
    .replace(/\bFILE\b/g, '~/.kube/config');
  const { code, stdout, stderr } = await inShell(filled, shell);
  return { ok: code === 0, code, stderr, told: `${filled}\n${stderr}${stdout}`.slice(0, SHOWN) };
}

function annotate(kind: string, name: string, annotation: string) {
  return run(`kubectl -n NAMESPACE annotate --overwrite ${kind} ${name} ${annotation}`);
}

async function annotationsOf(kind: 'Image' | 'Build', name: string) {
  const reference = {
    apiVersion: 'kpack.io/v1alpha2',
    kind,
    metadata: { namespace: NAMESPACE, name },
  };
  const { metadata } = demand(await api.get(reference)) as Annotated;
  return metadata.annotations ?? {};
}

t.test('the ways to build again: each kind of Image has one that kpack takes', async (t) => {
  const [find = '', first = '', second = ''] = pageCommands(TROUBLESHOOTING).filter((command) =>
    /^BUILD=|additionalBuildNeeded/.test(command),
  );
  const ask = (command: string, name: string) => run(`${find}; ${command}`, name);

  const taken = await ask(first, ANNOTATED);
  t.ok(taken.ok, taken.told);
  t.hasProp(await annotationsOf('Build', `${ANNOTATED}-build-2`), BUILD_NEEDED);
  t.notOk(BUILD_NEEDED in (await annotationsOf('Build', `${ANNOTATED}-build-1`)));

  const refused = await ask(first, SECTION);
  t.match(refused.told, /deprecated in v1alpha2/, 'as the page says');
  const other = await ask(second, SECTION);
  t.ok(other.ok, other.told);
  t.hasProp(await annotationsOf('Build', `${SECTION}-build-2`), BUILD_NEEDED);
});

t.test('what one Image says is changed as the page says for its kind', async (t) => {
  for (const [what, value] of [
    ['signing', 'disabled'],
    ['on-failure', 'warn'],
  ] as const) {
    const commands = pageCommands(TROUBLESHOOTING).filter((each) => each.includes(`${P}${what}=`));
    const [first = '', second = ''] = commands;
    const taken = await run(first, ANNOTATED);
    t.ok(taken.ok, taken.told);
    t.match((await run(first, SECTION)).told, /deprecated in v1alpha2/, 'as the page says');
    const other = await run(second, SECTION);
    t.ok(other.ok, other.told);
    for (const name of [ANNOTATED, SECTION]) {
      t.match(await annotationsOf('Image', name), { [P + what]: value });
    }
  }
});

/** What is not there in this cluster, which has no nodes; the commands are right all the same. */
const ABSENT: readonly (readonly [command: RegExp, says: RegExp])[] = [
  [/^kp image trigger$/, /kp: not found/],
  // test/registry/pages.test.ts runs them.
  [/^notation /, /notation: not found/],
  [
    /^docker trust$|^docker trust (?:inspect|signer add)$|^notary (?:list|lookup|publish|delegation add|key rotate)$/,
    /requires|usage|Usage|Must specify/,
  ],
  [/ cert-manager /, /namespaces "cert-manager" not found|"cert-manager-cainjector" not found/],
  [/ certificate/, /the server doesn't have a resource type "certificate"/],
  [/ (?:logs|describe pod|get pod) \S*/, /pods "[^"]+" not found/],
  [/pods\/\S+\/proxy\//, /NotFound|not found/],
  [/ top pods$/, /Metrics API not available/],
  [
    / rollout (?:undo|restart) /,
    /no rollout history found|deployments\.apps "kpack-controller" not found/,
  ],
  [/ rollout status /, /timed out|exceeded its progress deadline|Waiting for deployment/],
  [
    /rolebinding kpack-notary-webhook-secrets/,
    /rolebindings\.rbac\.authorization\.k8s\.io "[^"]+" not found/,
  ],
  [/kpack-notary-tls/, /secrets "kpack-notary-tls" not found|Could not read certificate/],
  [/secret kpack-notary-authority$/, /secrets "kpack-notary-authority" not found/],
  [
    /^kubectl get endpointslices kubernetes$/,
    /endpointslices\.discovery\.k8s\.io "kubernetes" not found/,
  ],
  [/^kubectl get -o yaml$/, /must specify the type of resource/],
];

t.test(
  'every command of the pages that lead out of trouble is one that kubectl takes',
  async (t) => {
    await cluster.namespace('apps');
    // As deploy/ has them, without the addresses of this cluster.
    const kinds = 'mutatingwebhookconfiguration,validatingwebhookconfiguration';
    for (const command of [`kubectl delete ${kinds} kpack-notary`, 'kubectl apply -k my-cluster']) {
      const { ok, told } = await run(command);
      t.ok(ok, told);
    }
    const pages = ['docs/how-to', 'docs/runbook'].flatMap((directory) =>
      readdirSync(join(projectDirectory(), directory)).map((file) => join(directory, file)),
    );
    const commands = new Set(pages.filter((page) => !OTHER_PAGES.test(page)).flatMap(pageCommands));
    t.ok(commands.size > 50);
    for (const command of commands) {
      if (/^BUILD=|additionalBuildNeeded|notary\.kpack\.io\/\S+ /.test(command)) continue;
      const { ok, code, stderr, told } = await run(bounded(command));
      const isUnmatched =
        command.includes('| grep') && code === 1 && /^(?:No resources found.*\n)?$/.test(stderr);
      const absence = ABSENT.find(([form]) => form.test(command));
      t.ok(ok || isUnmatched || absence?.[1].test(told) === true, told);
    }
  },
);

/** Where nothing runs, what waits for it to run, or to go, waits for ever; and all are run. */
function bounded(command: string): string {
  if (command.includes(' rollout status ')) return `${command} --timeout=1s`;
  return command.replace(/(?<=^kubectl (?:-n \S+ )?)delete .*/, '$& --dry-run=server');
}
