/** What is lost when a replica dies without a word: as little as can be, and nothing for good. */
import { readdirSync, readFileSync } from 'node:fs';
import type { V1Pod } from '@kubernetes/client-node';
import { demand } from '../bed/kube-client.ts';
import {
  demandSigner,
  isRetried,
  postBuild,
  postUntilAdmitted,
  prepareBuild,
  runBuild,
  type ReadyBuild,
} from './build.ts';
import { endpoints, replicas } from './installation.ts';
import { describe, startLoad } from './load.ts';
import { PER_SECOND } from './check-rollout.ts';
import type { Environment } from './environment.ts';
import { signed } from './check-signing.ts';
import type { Report } from './report.ts';
import { until } from './until.ts';

const KILLS = 5;
const PROGRAM = '/app/webhook.cjs';
/** How late the API server may hear of an endpoint's removal, in milliseconds. */
const HEARSAY = 300;

/** The time in which admissions may fail, by `performance.now()`. */
interface Window {
  readonly killed: number;
  readonly removed: number;
}

export async function checkKill(environment: Environment, report: Report): Promise<void> {
  report.section('A replica is killed, and every build is signed all the same');
  const name = 'kills';
  await environment.namespace(name, { 'notary.kpack.io/signing': 'enabled' });
  const ready = await prepareBuild(environment, { fixture: 'v0.17.2/02-notary', name });
  await report.check(`${KILLS} times kill -9`, () => kills(environment, ready), name);
  await report.check(
    'a real build, posted at the moment of a kill',
    async () => {
      await untilTwoReplicas(environment);
      killOne(await replicas(environment.cluster), 0);
      return signed(environment, await runBuild(environment, ready));
    },
    name,
  );
  await untilTwoReplicas(environment);
}

async function kills(environment: Environment, ready: ReadyBuild): Promise<string> {
  const again: Promise<unknown>[] = [];
  const notRetried: string[] = [];
  const neverAdmitted: unknown[] = [];
  const load = startLoad(PER_SECOND, async () => {
    const answer = await postBuild(environment, ready.pod, { dryRun: true });
    if (!answer.ok) {
      if (!isRetried(answer.status)) notRetried.push(`${answer.status} ${answer.failure.message}`);
      const posted = postUntilAdmitted(environment, ready.pod, { dryRun: true });
      again.push(posted.catch((error: unknown) => neverAdmitted.push(error)));
    }
    demandSigner(demand(answer));
  });
  const windows: Window[] = [];
  try {
    for (let i = 0; i < KILLS; i += 1) {
      await untilTwoReplicas(environment);
      const killed = performance.now();
      const address = killOne(await replicas(environment.cluster), i);
      await until('the removal of the endpoint', async () => {
        return !(await endpoints(environment.cluster)).includes(address);
      });
      windows.push({ killed, removed: performance.now() });
    }
    await untilTwoReplicas(environment);
  } finally {
    // Whatever came of the kills.
    await load.stop();
  }
  const report = await load.stop();
  await Promise.all(again);
  if (neverAdmitted.length > 0) throw neverAdmitted[0];
  const outside = report.failures.filter(
    ({ sent, failed }) =>
      !windows.some(({ killed, removed }) => sent <= removed + HEARSAY && failed >= killed),
  );
  const [first] = outside;
  if (first !== undefined) {
    throw new Error(`${outside.length} failed while no replica was dying, as ${first.reason}`);
  }
  if (notRetried.length > 0) throw new Error(`kpack would not post again: ${notRetried[0]}`);
  const longest = Math.max(...windows.map(({ killed, removed }) => removed - killed));
  return (
    `${describe(report)}; all failed between a kill and the endpoint's removal ` +
    `(${longest.toFixed(0)} ms at most), all were admitted and signed when posted again`
  );
}

async function untilTwoReplicas({ cluster }: Environment): Promise<void> {
  await until('two ready replicas', async () => (await endpoints(cluster)).length === 2, 180_000);
}

/** Kills the program of one of the pods; returns the pod's address. */
function killOne(pods: readonly V1Pod[], index: number): string {
  const pod = pods[index % pods.length];
  const name = pod?.metadata?.name;
  const pid = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .find((entry) => {
      try {
        const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
        const variables = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
        return words.includes(PROGRAM) && variables.includes(`HOSTNAME=${name}`);
      } catch {
        return false; // It has ended meanwhile.
      }
    });
  if (pid === undefined) throw new Error(`the program of ${name} is not running`);
  process.kill(Number(pid), 'SIGKILL');
  return pod?.status?.podIP ?? '';
}
