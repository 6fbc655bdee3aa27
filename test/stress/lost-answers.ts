/** Many random plays of signers that sign the same tag, and what came out, in numbers. */
import { complaints, openTheatre, type Played, type Theatre } from './interleaving.ts';
import { randomPlay } from './random-play.ts';

const STORAGES = ['memory', 'postgres'] as const;

/**
 * Plays them, half at each storage, and prints the numbers and everything that is not as it must be.
 *
 * @param seed of the first; each next one has the next number
 * @returns how many ended badly
 */
export async function runLostAnswers(plays: number, seed: number): Promise<number> {
  const begin = performance.now();
  const share = Math.ceil(plays / STORAGES.length);
  const results = await Promise.all(
    STORAGES.map(async (storage, index) => {
      const theatre = await openTheatre(storage);
      try {
        return await playAll(theatre, share, seed + index * share);
      } finally {
        await theatre.stop();
      }
    }),
  );
  const played = results.flat();
  const bad = played.filter(({ wrong }) => wrong.length > 0);
  for (const { seed: number, wrong, log } of bad) {
    console.log(`NOT OK seed ${number}`);
    for (const line of [...wrong, ...log]) console.log(`  ${line}`);
  }
  const words = countsOf(played.flatMap(({ said }) => [...said.values()]));
  const stored = played.filter(({ events }) => events.some(({ kind }) => kind === 'stored'));
  const met = played.filter(
    ({ events }) =>
      new Set(events.filter(({ kind }) => kind === 'stored').map((e) => e.signer)).size > 1,
  );
  const seconds = Math.round((performance.now() - begin) / 1000);
  console.log(
    `lost answers: ${played.length} interleavings from seed ${seed}, ${bad.length} ended badly; ` +
      `something was stored in ${stored.length}, by several signers in ${met.length}; ` +
      `the signers say: ${words}; ${seconds} s`,
  );
  return bad.length;
}

async function playAll(theatre: Theatre, plays: number, seed: number) {
  const played: (Played & { readonly seed: number })[] = [];
  for (let number = seed; number < seed + plays; number++) {
    played.push({ seed: number, ...(await theatre.play(randomPlay(number))) });
  }
  const found = await theatre.judge();
  return played.map((one) => ({ ...one, wrong: complaints(one, found.get(one.tag)) }));
}

function countsOf(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([word, count]) => `${count} ${word}`).join(', ');
}
