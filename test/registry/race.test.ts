import t from 'tap';
import { goTools } from '../bed/go-tools.ts';
import { RACE_REGISTRIES, raceProblems, v2Race } from '../stress/v2-race.ts';

const SIGNERS = 8;
const REPEATS = 5;

// Each signer is a process of its own, and may have to wait its turn.
t.setTimeout(240_000);

t.test('signers of one image that are released at once', async (t) => {
  const tools = await goTools();
  if ('missing' in tools) return t.plan(0, tools.missing);
  for (const registry of RACE_REGISTRIES) {
    t.test(`at ${registry} are all listed, and one that signs again adds nothing`, async (t) => {
      const outcome = await v2Race({ tools, registry, signers: SIGNERS, repeats: REPEATS });
      t.same(raceProblems(outcome), []);
      t.equal(outcome.listed.length, SIGNERS + 1);
      t.equal(outcome.repeated.length, REPEATS);
    });
  }
});
