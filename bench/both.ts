/**
 * v1 and v2 in one run of the signer, against notation sign and then the notary CLI: at a registry and a
 * Notary server that are far away.
 */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Bed } from '../test/bed/bed.ts';
import { succeed } from '../test/bed/command.ts';
import type { GoTools } from '../test/bed/go-tools.ts';
import { pushImage } from '../test/bed/image.ts';
import { notationCli } from '../test/bed/notation-cli.ts';
import { startOlareg } from '../test/bed/olareg.ts';
import { FORWARD, startProxy } from '../test/bed/proxy.ts';
import { startRelay } from '../test/bed/relay.ts';
import { writeSecret } from '../test/support/signer-run.ts';
import { makeV2Secret } from '../test/support/v2-secret.ts';
import { interleave } from './interleaving.ts';
import { createMemoryProbe } from './process-figures.ts';
import { createSigningRepository, type Target } from './signing-repository.ts';
import type { Measurement } from './table.ts';

/** Time of a round trip, in milliseconds. */
const DISTANCE = 20;
const FAR = 120;
/** What is promised of the time of both programs of others, and of memory in MiB. */
const MOST_TIMES = 0.5;
const MOST_MEMORY = 80;
const REPOSITORY = 'demo/both';

/** Wall time near and far, and peak memory. */
export async function measureBoth(
  bed: Bed,
  tools: GoTools,
  rounds: number,
): Promise<readonly Measurement[]> {
  const { directory, authority } = bed;
  const parts: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    parts.push(part);
    return part;
  };
  try {
    const olareg = keep(await startOlareg({ program: tools.olareg, directory }));
    const proxy = keep(await startProxy({ authority, target: olareg.url, rule: () => FORWARD }));
    const peakOf = await createMemoryProbe(directory);
    const { v2Secret, root } = makeV2Secret();
    const v2Directory = await writeSecret(join(directory, 'both-v2'), v2Secret);
    const env = { SSL_CERT_FILE: authority.certificateFile };
    const at = async (roundTrip: number) => {
      const registry = keep(await startRelay({ target: proxy.url, roundTrip }));
      const notary = keep(await startRelay({ target: bed.notary.url, roundTrip }));
      const { host } = new URL(registry.url);
      const repository = await createSigningRepository(bed, `${host}/${REPOSITORY}`);
      const notation = await notationCli({
        ...{ program: tools.notation, roots: [root] },
        home: await mkdtemp(join(directory, 'both-notation-')),
      });
      await notation.run(['cert', 'generate-test', '--default', 'bench']);
      let images = 0;
      const newTarget = async (): Promise<Target> => {
        const tag = `${roundTrip}-${(images += 1)}`;
        const where = { registryUrl: olareg.url, repository: REPOSITORY, tags: [tag] };
        const { digest, size } = await pushImage({ ...where, content: tag });
        return { tag, sha256: digest.replace('sha256:', ''), size };
      };
      const ours = async (parts: 'both' | 'v2') => {
        const target = await newTarget();
        const { args = [], ...program } = await repository.signer([target], {
          ...{ notaryUrl: notary.url, env },
        });
        const isOfV1 = (word: string) => /^--(?:notary-url|key-dir)=/.test(word);
        const kept = parts === 'both' ? args : args.filter((word) => !isOfV1(word));
        return {
          program: { ...program, args: [...kept, `--v2-key-dir=${v2Directory}`] },
          reference: `${host}/${REPOSITORY}@sha256:${target.sha256}`,
          target,
        };
      };
      const timed = async (parts: 'both' | 'v2') => {
        const { program, target, reference } = await ours(parts);
        const started = performance.now();
        await succeed(program);
        const milliseconds = performance.now() - started;
        const verified = await notation.run(['verify', reference], env);
        if (verified.code !== 0) throw new Error(verified.stderr);
        if (parts === 'both') await repository.demandSigned([target]);
        return milliseconds;
      };
      const theirs = async () => {
        const { tag, sha256, size } = await newTarget();
        const cli = await repository.coldCli(notary.url);
        const started = performance.now();
        const reference = `${host}/${REPOSITORY}@sha256:${sha256}`;
        const flags = ['--force-referrers-tag=false'];
        const signed = await notation.run(['sign', ...flags, reference], env);
        if (signed.code !== 0) throw new Error(signed.stderr);
        await cli.addHash(repository.gun, tag, size, sha256);
        await cli.publish(repository.gun);
        return performance.now() - started;
      };
      return { ours, timed, theirs };
    };
    const [near, far] = [await at(DISTANCE), await at(FAR)];
    const values = await interleave(rounds, {
      both: () => near.timed('both'),
      theirs: () => near.theirs(),
      v2: () => near.timed('v2'),
      v2Far: () => far.timed('v2'),
      memory: async () => peakOf((await near.ours('both')).program),
    });
    const what = 'dist/signer.cjs: v1 and v2 in one run, read back and verified';
    const roundTrips = values.v2Far.map((ms, i) => (ms - (values.v2[i] ?? NaN)) / (FAR - DISTANCE));
    return [
      {
        title: `v1 and v2 at ${DISTANCE} ms of round-trip time, whole processes`,
        unit: 'ms',
        better: 'lower',
        subjects: [
          { name: 'signer, both', what, values: values.both },
          {
            name: 'notation, then notary',
            what: 'notation sign, notary addhash, notary publish, no cache: no read-back',
            values: values.theirs,
          },
        ],
        ratios: [['signer, both', 'notation, then notary']],
        limits: { 'signer, both / notation, then notary': MOST_TIMES },
      },
      {
        title: 'Sequential round trips of v2 alone, TCP and TLS included',
        unit: `ms a ms more of each (${FAR} against ${DISTANCE} ms)`,
        better: 'lower',
        subjects: [
          { name: 'signer, v2', what: 'at a registry with the referrers API', values: roundTrips },
        ],
        ratios: [],
      },
      {
        title: 'Peak resident memory while v1 and v2 are signed',
        unit: 'MiB',
        better: 'lower',
        subjects: [{ name: 'signer, both', what, values: values.memory }],
        ratios: [],
        limits: { 'signer, both': MOST_MEMORY },
      },
    ];
  } finally {
    await Promise.all(parts.map((part) => part.stop()));
  }
}
