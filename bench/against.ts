/** Our webhook in turns with that of another version: who decides more, and what a decision takes. */
import { join, resolve } from 'node:path';
import type { Bed } from '../test/bed/bed.ts';
import { admissionReview, type Webhook } from '../test/bed/webhook.ts';
import { buildFixture } from '../test/support/build-fixture.ts';
import { FIXTURE, type AdmissionOptions } from './admission.ts';
import { signedPod, startKubernetesApi, startVersion, urlOf } from './admission-servers.ts';
import { interleave } from './interleaving.ts';
import { openLoad, type Load } from './load.ts';
import { processorTime } from './process-figures.ts';
import { bundledProgram } from './programs.ts';
import type { Measurement } from './table.ts';

/** Of the rate of the other version. */
const LEAST_SHARE = 0.95;

/**
 * Asks both versions about the same pod: half of the time what is to be changed, and half of the time
 * whether all is right as that version changed it.
 *
 * @param directory a checkout of the other version, built
 */
export async function measureAgainst(
  bed: Bed,
  directory: string,
  { rounds, seconds }: AdmissionOptions,
): Promise<Measurement[]> {
  const fixture = buildFixture(FIXTURE);
  const { api, kubeconfig } = await startKubernetesApi(bed, fixture);
  const stops: (() => unknown)[] = [() => api.stop()];
  const start = async (program: string, connections: number) => {
    const webhook = await startVersion(bed, program, kubeconfig);
    stops.push(() => webhook.stop());
    const open = (question: 'mutate' | 'validate', object: object) => {
      const body = JSON.stringify(admissionReview({ object }));
      const url = urlOf(webhook, question);
      return openLoad({ url, ca: bed.authority.certificatePem, body, connections });
    };
    const mutate = await open('mutate', fixture.pod);
    const validate = await open('validate', await signedPod(webhook, fixture));
    stops.push(() => [mutate, validate].forEach((load) => load.close()));
    return () => decide(webhook, [mutate, validate], seconds);
  };
  const theirProgram = join(resolve(directory), 'dist/webhook.cjs');
  const measurements: Measurement[] = [];
  try {
    for (const connections of [1, 16]) {
      const { ours, theirs } = await interleave(rounds, {
        ours: await start(bundledProgram('webhook'), connections),
        theirs: await start(theirProgram, connections),
      });
      const over = connections === 1 ? '1 connection' : `${connections} connections`;
      const compared = (figure: 'rate' | 'cost') => ({
        subjects: [
          { name: 'ours', what: 'dist/webhook.cjs', values: ours.map((turn) => turn[figure]) },
          { name: 'theirs', what: theirProgram, values: theirs.map((turn) => turn[figure]) },
        ],
        ratios: [['ours', 'theirs']] as const,
      });
      measurements.push(
        {
          ...compared('rate'),
          title: `Decisions over ${over}`,
          unit: 'a second',
          better: 'higher',
          limits: { 'ours / theirs': LEAST_SHARE },
        },
        {
          ...compared('cost'),
          title: `Processor time over ${over}`,
          unit: 'µs a decision',
          better: 'lower',
        },
      );
    }
    return measurements;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** One turn: decisions a second, and microseconds of processor time for each. */
async function decide({ pid }: Webhook, loads: readonly Load[], seconds: number) {
  const before = processorTime(pid);
  let [count, elapsed] = [0, 0];
  for (const load of loads) {
    const run = await load.saturate(seconds);
    count += run.latencies.length;
    elapsed += run.seconds;
  }
  const cost = ((processorTime(pid) - before) / count) * 1e6;
  return { rate: count / elapsed, cost };
}
