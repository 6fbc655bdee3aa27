/** Plays that chance writes. */
import type { ProxyAction } from '../bed/proxy.ts';
import { FORWARD } from '../bed/proxy.ts';
import { ALL_LOSSES, type Loss } from './lost-answer.ts';
import { LATE, type Play } from './interleaving.ts';
import { pick, seeded, type Random } from '../support/random.ts';

/** How often another signer comes to the fore, and how often a read meets a fault. */
const CHANGE = 0.15;
const FAULT = 0.02;

const FAULTS: readonly [ProxyAction, ...ProxyAction[]] = [
  { kind: 'answer', status: 503, body: 'sorry' },
  { kind: 'answer', status: 429, body: 'sorry', headers: { 'retry-after': '0' } },
  { kind: 'reset' },
  { kind: 'forward', loses: 'half-answer' },
];

/** Any of them; those that a signer waits for less often, since they take time. */
function anyLoss(random: Random): Loss {
  const loss = pick(random, ALL_LOSSES);
  return loss.startsWith('silence') && random() < 0.8 ? anyLoss(random) : loss;
}

/** The same play for the same seed, as far as the order of a signer's parallel reads lets it be. */
export function randomPlay(seed: number): Play {
  const random = seeded(seed);
  const signers = random() < 0.3 ? ['a', 'b', 'c'] : ['a', 'b'];
  const losses = new Map(
    signers.map((name): [string, readonly Loss[]] => [
      name,
      // The first publish loses its answer mostly, the second sometimes.
      [0.8, 0.4].map((share) => (random() < share ? anyLoss(random) : 'none')),
    ]),
  );
  const order = new Map<string, number>();
  const rank = (actor: string): number => {
    const known = order.get(actor) ?? random();
    order.set(actor, known);
    return known;
  };
  return {
    signers,
    losses: Object.fromEntries(losses),
    read: () => (random() < FAULT ? pick(random, FAULTS) : FORWARD),
    choose: (actors) => {
      if (random() < CHANGE) order.clear();
      // Late requests are as likely to overtake as anybody.
      const [first = LATE] = [...actors].sort((one, other) => rank(one) - rank(other));
      return first;
    },
  };
}
