/** How long it takes to sign one tag, for the signer and for the notary CLI. */
import { performance } from 'node:perf_hooks';
import { succeed } from '../test/bed/command.ts';
import { interleave } from './interleaving.ts';
import type { SigningRepository, Target } from './signing-repository.ts';
import type { Measurement } from './table.ts';

/** One tag from spawn to exit, against the notary CLI without a cache. */
export async function measureSigning(
  repository: SigningRepository,
  rounds: number,
): Promise<Measurement> {
  const signed: Target[] = [];
  const newTarget = (): Target => {
    const target = repository.newTarget();
    signed.push(target);
    return target;
  };
  const values = await interleave(rounds, {
    signer: async () => {
      const program = await repository.signer(newTarget());
      return timed(() => succeed(program));
    },
    notaryCli: async () => {
      const { tag, sha256, size } = newTarget();
      const cli = await repository.coldCli();
      return timed(async () => {
        await cli.addHash(repository.gun, tag, size, sha256);
        await cli.publish(repository.gun);
      });
    },
  });
  await repository.demandSigned(signed);
  return {
    title: 'Signing one tag at notary-server, whole processes',
    unit: 'ms',
    better: 'lower',
    subjects: [
      {
        name: 'signer',
        what: 'dist/signer.cjs: verify, sign, publish, read back and verify',
        values: values.signer,
      },
      {
        name: 'notary CLI',
        what: 'notary addhash, notary publish, no cache: verify, sign, publish',
        values: values.notaryCli,
      },
    ],
    ratios: [['signer', 'notary CLI']],
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
