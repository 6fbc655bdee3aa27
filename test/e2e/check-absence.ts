/** The webhook is gone: who opted in waits, nobody else does. */
import { absent } from './check-cold-start.ts';
import { postUntilAdmitted, prepareBuild } from './build.ts';
import { DEPLOYMENT, endpoints, NAMESPACE, replicas, rolledOut } from './installation.ts';
import type { Environment } from './environment.ts';
import type { Report } from './report.ts';
import { until } from './until.ts';

export async function checkAbsence(environment: Environment, report: Report): Promise<void> {
  report.section('No replica is left');
  const { cluster } = environment;
  const name = 'absence';
  await environment.namespace(name, { 'notary.kpack.io/signing': 'enabled' });
  const ready = await prepareBuild(environment, { fixture: 'v0.17.2/02-notary', name });
  const scale = async (count: number) => {
    const what = `deployment/${DEPLOYMENT}`;
    await cluster.kubectl('-n', NAMESPACE, 'scale', what, `--replicas=${count}`);
  };
  await report.check('scaled to zero', async () => {
    await scale(0);
    await until('the end of the replicas', async () => (await replicas(cluster)).length === 0);
    return absent(environment, ready);
  });
  await report.check('scaled to two again', async () => {
    const begin = performance.now();
    await scale(2);
    const posts = await postUntilAdmitted(environment, ready.pod, { dryRun: true });
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    await rolledOut(cluster);
    const count = (await endpoints(cluster)).length;
    return `admitted after ${seconds} s, at the ${posts}th time; ${count} replicas are ready`;
  });
}
