/** Everything is applied at once, in any order: nothing waits for anything else for ever. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { demandRefused, demandUntouched } from './absence.ts';
import { postUntilAdmitted, prepareBuild, type ReadyBuild } from './build.ts';
import { render, rolledOut } from './installation.ts';
import type { Environment } from './environment.ts';
import { commandsOf } from './page.ts';
import type { Report } from './report.ts';
import type { Shell } from './check-tutorial.ts';

/** A user who applies again until nothing fails gives up some time. */
const MOST_PASSES = 5;

/**
 * Installs.
 *
 * @param directory of the kustomization
 * @param seed of the order
 */
export async function checkColdStart(
  environment: Environment,
  report: Report,
  directory: string,
  seed: number,
): Promise<void> {
  report.section('Cold start, in any order');
  const { cluster } = environment;
  const all = await render(cluster, directory);
  const isDeployment = ({ kind }: KubeReference) => kind === 'Deployment';
  const rest = shuffled(
    all.filter((object) => !isDeployment(object)),
    seed,
  );
  const name = 'cold-start';
  await environment.namespace(name, { 'notary.kpack.io/signing': 'enabled' });
  const ready = await prepareBuild(environment, { fixture: 'v0.17.2/02-notary', name });
  await report.check(
    `kubectl apply of ${all.length} objects, shuffled (seed ${seed})`,
    async () => {
      const passes = await applyUntilDone(environment, rest);
      return `all but the Deployment are there after ${passes} passes`;
    },
  );
  await report.check('while the webhook is not there yet', () => absent(environment, ready), name);
  await report.check('then the Deployment', async () => {
    const begin = performance.now();
    await applyUntilDone(environment, all.filter(isDeployment));
    const posts = await postUntilAdmitted(environment, ready.pod, { dryRun: true });
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    await rolledOut(cluster);
    return `a build that kpack posts again is admitted after ${seconds} s, at the ${posts}th time`;
  });
}

/** What holds while nobody answers for us. */
export async function absent(environment: Environment, ready: ReadyBuild): Promise<string> {
  const reason = await demandRefused(environment, ready);
  await demandUntouched(environment, ready);
  return `opted-in build pods wait (${reason}), all else is untouched`;
}

/** @returns how often it was necessary */
async function applyUntilDone(
  { cluster }: Environment,
  objects: readonly KubeReference[],
): Promise<number> {
  const file = join(cluster.directory, 'objects.json');
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  for (let pass = 1; ; pass += 1) {
    const { code, stderr } = await cluster.tryKubectl('apply', '-f', file);
    if (code === 0) return pass;
    if (pass === MOST_PASSES) throw new Error(`kubectl apply, for the ${pass}th time: ${stderr}`);
  }
}

/** In an order that the seed decides. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed;
  const keyed = items.map((item) => {
    // Park and Miller's generator: any order does.
    state = (state * 48_271) % 2_147_483_647;
    return { item, key: state };
  });
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** Removes it all, as docs/how-to/uninstall.md says; nothing of ours may be left. */
export async function checkUninstall(
  environment: Environment,
  report: Report,
  directory: string,
  shell: Shell,
): Promise<void> {
  report.section('Uninstall');
  const { cluster } = environment;
  const installed = await render(cluster, directory);
  await report.check('docs/how-to/uninstall.md', async () => {
    await shell.run(commandsOf('how-to/uninstall.md', 'Remove everything'));
    for (const object of installed) {
      const { ok } = await cluster.api.get(object);
      if (ok) throw new Error(`${object.kind} ${object.metadata.name} is still there`);
    }
    return `nothing is left of ${installed.length} objects`;
  });
  await report.check('a build pod afterwards', async () => {
    const name = 'afterwards';
    await environment.namespace(name, { 'notary.kpack.io/signing': 'enabled' });
    const { pod } = await prepareBuild(environment, { fixture: 'v0.17.2/02-notary', name });
    demand(await cluster.api.create(pod, { dryRun: true }));
    return 'is admitted as kpack made it';
  });
}
