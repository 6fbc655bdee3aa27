import t from 'tap';
import { race } from './race.ts';

const SIGNERS = 12;

// Each signer is a process of its own, and may have to wait its turn.
t.setTimeout(240_000);

const RACES = [
  { storage: 'memory', clis: 0, what: 'a server that refuses the slower with VERSION' },
  { storage: 'postgres', clis: 0, what: 'a server that refuses some of them with UPDATING' },
  { storage: 'memory', clis: 2, what: 'publishers beside them that know nothing of retries' },
] as const;

for (const { what, ...options } of RACES) {
  t.test(`signers that are released at once, and ${what}`, async (t) => {
    const { runs, wanted, listed, milliseconds } = await race({ signers: SIGNERS, ...options });
    for (const { code, receipt, stdout } of runs) {
      t.equal(receipt.result, 'signed', stdout);
      t.equal(code, 0);
    }
    t.same(listed, wanted, 'all tags are there');
    const attempts = runs.map(({ receipt }) => receipt.repositories[0]?.attempts ?? 0);
    t.ok(Math.max(...attempts) > 1, 'they did meet');
    t.comment(`${SIGNERS} signers, ${milliseconds} ms, attempts ${attempts.join(' ')}`);
  });
}
