/** No admission is lost while replicas come and go, and while their certificates change. */
import type { V1Secret } from '@kubernetes/client-node';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { demandSigner, postBuild, prepareBuild, runBuild, type ReadyBuild } from './build.ts';
import { DEPLOYMENT, NAMESPACE, rolledOut } from './installation.ts';
import { describe, startLoad, type Load, type LoadReport } from './load.ts';
import type { Scene } from './scene.ts';
import { signed } from './signing-chapter.ts';
import type { Story } from './story.ts';
import { until } from './until.ts';

export const PER_SECOND = 50;
const RESTARTS = 10;
const ROTATIONS = 5;
const FIXTURE = 'v0.17.2/02-notary';

/** Sends the pod of a build again and again, without storing it. */
export function startAdmissions(scene: Scene, { pod }: ReadyBuild): Load {
  return startLoad(PER_SECOND, async () => {
    const answer = await postBuild(scene, pod, { dryRun: true });
    demandSigner(demand(answer));
  });
}

export async function rolloutChapter(scene: Scene, story: Story): Promise<void> {
  story.chapter(`${PER_SECOND} admissions a second, and none is lost`);
  const { cluster } = scene;
  const name = 'load';
  await scene.namespace(name, { 'notary.kpack.io/signing': 'enabled' });
  const ready = await prepareBuild(scene, { fixture: FIXTURE, name });
  const underLoad = async (work: () => Promise<void>): Promise<string> => {
    const load = startAdmissions(scene, ready);
    let report: LoadReport | undefined;
    try {
      await work();
    } finally {
      report = await load.stop();
    }
    const [first] = report.failures;
    if (first !== undefined) throw new Error(`${describe(report)}; the first: ${first.reason}`);
    return describe(report);
  };
  await story.check(`${RESTARTS} rolling restarts`, () =>
    underLoad(async () => {
      for (let i = 0; i < RESTARTS; i += 1) {
        await cluster.kubectl('-n', NAMESPACE, 'rollout', 'restart', `deployment/${DEPLOYMENT}`);
        await rolledOut(cluster);
      }
    }),
  );
  await story.check(`${ROTATIONS} times the authority's Secret is deleted`, () =>
    underLoad(async () => {
      for (let i = 0; i < ROTATIONS; i += 1) await rotate(scene);
    }),
  );
  await story.check(
    'and a real build in between',
    async () => signed(scene, await runBuild(scene, ready)),
    name,
  );
}

const AUTHORITY = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'kpack-notary-authority', namespace: NAMESPACE },
};

/** Deletes the authority, and waits until there is another one, which every API server trusts. */
async function rotate(scene: Scene): Promise<void> {
  const { api } = scene.cluster;
  const before = demand(await api.get<KubeReference & V1Secret>(AUTHORITY)).metadata.uid;
  demand(await api.delete(AUTHORITY));
  await until('a new authority', async () => {
    const { object } = await api.get<KubeReference & V1Secret>(AUTHORITY);
    return object !== undefined && object.metadata.uid !== before;
  });
}
