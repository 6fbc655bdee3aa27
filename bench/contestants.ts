/** Who signs: the signer, and the notary CLI without a cache doing the same. */
import { performance } from 'node:perf_hooks';
import { succeed } from '../test/bed/command.ts';
import type { SigningRepository, Target } from './signing-repository.ts';

/** What is said of them in tables. */
export const SIGNER = 'dist/signer.cjs: verify, sign, publish, read back and verify';
export const NOTARY_CLI = 'notary addhash for each tag, notary publish, no cache: no read-back';

/** How long a signing took, in milliseconds. */
export interface Signing {
  readonly whole: number;
  /** Without what is done before the first byte is sent, where that is a program of its own. */
  readonly network: number;
}

/** Signs tags of a new image in a repository, and remembers which. */
export interface Contestant {
  /** @param notaryUrl the bed's server by default */
  sign(count: number, notaryUrl?: string): Promise<Signing>;
  /** @throws Error unless all is signed, as a fresh notary CLI sees it */
  demandSigned(): Promise<void>;
}

/** Name of somebody who signs so many tags at once. */
export function forTags(who: string, count: number): string {
  return `${who}, ${count} ${count === 1 ? 'tag' : 'tags'}`;
}

export function signer(repository: SigningRepository): Contestant {
  return contestant(repository, async (targets, notaryUrl) => {
    const program = await repository.signer(targets, notaryUrl === undefined ? {} : { notaryUrl });
    const whole = await timed(() => succeed(program));
    return { whole, network: whole };
  });
}

export function coldNotaryCli(repository: SigningRepository): Contestant {
  const { gun } = repository;
  return contestant(repository, async (targets, notaryUrl) => {
    const cli = await repository.coldCli(notaryUrl);
    const staging = await timed(async () => {
      for (const { tag, sha256, size } of targets) await cli.addHash(gun, tag, size, sha256);
    });
    const network = await timed(() => cli.publish(gun));
    return { whole: staging + network, network };
  });
}

function contestant(
  repository: SigningRepository,
  sign: (targets: readonly Target[], notaryUrl: string | undefined) => Promise<Signing>,
): Contestant {
  const signed: Target[] = [];
  return {
    sign: (count, notaryUrl) => {
      const targets = repository.newTargets(count);
      signed.push(...targets);
      return sign(targets, notaryUrl);
    },
    demandSigned: () => repository.demandSigned(signed),
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
