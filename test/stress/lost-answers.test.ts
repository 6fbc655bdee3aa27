import t, { type Test } from 'tap';
import {
  complaints,
  LATE,
  openTheatre,
  type Event,
  type Play,
  type Stage,
} from './interleaving.ts';
import { ALL_LOSSES } from './lost-answer.ts';
import { randomPlay } from './random-play.ts';

t.setTimeout(240_000);

const theatre = await openTheatre('memory');
t.teardown(() => theatre.stop());

const count = ({ events }: Stage, kind: Event['kind'], signer: string) =>
  events.filter((event) => event.kind === kind && event.signer === signer).length;

/** `a` until its publish is out, then `b` to its end, then `a` again. */
const inBetween =
  (isOut: (stage: Stage) => boolean): Play['choose'] =>
  (_, stage) => {
    if (!isOut(stage)) return 'a';
    if (stage.isWaiting(LATE)) return LATE;
    return count(stage, 'ended', 'b') > 0 ? 'a' : 'b';
  };
const afterFirst = inBetween((stage) => count(stage, 'posted', 'a') > 0);
const beforeSecond = inBetween((stage) => count(stage, 'posting', 'a') > 1);

async function comesTo(t: Test, play: Pick<Play, 'losses' | 'choose'>, a: string, last: string) {
  const { said, tag, log } = await theatre.play({ signers: ['a', 'b'], ...play });
  t.equal((await theatre.judge()).get(tag), last, 'what notary list shows');
  t.same(Object.fromEntries(said), { a, b: 'signed' });
  if (!t.passing()) t.comment(log.join('\n'));
}

for (const loss of ALL_LOSSES.filter((name) => name.includes(', stored'))) {
  t.test(`an older build never replaces a newer signature: ${loss}`, (t) => {
    const says = loss.startsWith('killed') ? 'killed' : 'TAG_SUPERSEDED';
    return comesTo(t, { losses: { a: [loss] }, choose: afterFirst }, says, 'b');
  });
}

for (const loss of ALL_LOSSES.filter((name) => name.endsWith('not stored'))) {
  if (loss.startsWith('killed')) continue;
  t.test(`what was not stored is published again: ${loss}`, (t) =>
    comesTo(t, { losses: { a: [loss] }, choose: afterFirst }, 'signed', 'a'),
  );
}

t.test('a publish that is stored after the signer asked for it is found at the conflict', (t) =>
  comesTo(t, { losses: { a: ['504, stored later'] }, choose: beforeSecond }, 'TAG_SUPERSEDED', 'b'),
);

t.test(
  'an image that was signed before, and that another build replaces while that is read',
  async (t) => {
    const before = { signers: ['a'], losses: {}, choose: () => 'a' };
    const { tag } = await theatre.play(before);
    const again = { ...before, tag, signers: ['a', 'b'] };
    const choose = inBetween((stage) => count(stage, 'read', 'a') > 0);
    const { said } = await theatre.play({ ...again, choose });
    t.equal((await theatre.judge()).get(tag), 'b');
    t.same(Object.fromEntries(said), { a: 'TAG_SUPERSEDED', b: 'signed' });
  },
);

t.test('signers of one tag whose requests interleave by chance', async (t) => {
  const first = Number(process.env['KPACK_NOTARY_SEED'] ?? Date.now() % 1_000_000);
  t.comment(`KPACK_NOTARY_SEED=${first}`);
  const plays = [];
  for (let seed = first; seed < first + 10; seed++) {
    plays.push({ seed, ...(await theatre.play(randomPlay(seed))) });
  }
  const found = await theatre.judge();
  for (const played of plays) {
    t.same(complaints(played, found.get(played.tag)), [], `seed ${played.seed}`);
    if (!t.passing()) t.comment(played.log.join('\n'));
  }
});
