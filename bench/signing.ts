/** How long it takes to sign one tag, and how that grows with the tags that are there. */
import { coldNotaryCli, NOTARY_CLI, signer, SIGNER } from './contestants.ts';
import { interleave } from './interleaving.ts';
import type { SigningRepository } from './signing-repository.ts';
import type { Measurement } from './table.ts';

/** A repository, and how many tags it has. */
export interface SizedRepository {
  readonly tags: number;
  readonly repository: SigningRepository;
}

/** One tag from spawn to exit, against the notary CLI without a cache; the smallest first. */
export async function measureSigning(
  repositories: readonly SizedRepository[],
  rounds: number,
): Promise<Measurement> {
  const contestants = repositories.flatMap(({ tags, repository }) => [
    { name: ofSize('signer', tags), what: SIGNER, who: signer(repository) },
    { name: ofSize('notary CLI', tags), what: NOTARY_CLI, who: coldNotaryCli(repository) },
  ]);
  const probes = contestants.map(
    ({ name, who }) => [name, async () => (await who.sign(1)).whole] as const,
  );
  const values = await interleave(rounds, Object.fromEntries(probes));
  for (const { who } of contestants) await who.demandSigned();
  const [{ tags: smallest } = { tags: 0 }, ...larger] = repositories;
  return {
    title: 'Signing one tag at notary-server on loopback, beside as many, whole processes',
    unit: 'ms',
    better: 'lower',
    subjects: contestants.map(({ name, what }) => ({ name, what, values: values[name] ?? [] })),
    ratios: [
      ...repositories.map(
        ({ tags }) => [ofSize('signer', tags), ofSize('notary CLI', tags)] as const,
      ),
      ...['signer', 'notary CLI'].flatMap((who) =>
        larger.map(({ tags }) => [ofSize(who, tags), ofSize(who, smallest)] as const),
      ),
    ],
  };
}

/** Name of somebody who works in a repository of so many tags. */
export function ofSize(who: string, tags: number): string {
  return `${who}, ${tags} tags`;
}
