import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { commandsIn } from '../../src/shared/shell-command.ts';
import { startBed } from '../bed/bed.ts';
import { startProxy } from '../bed/proxy.ts';
import { makeTestRepository, reportOf } from '../support/catalogue/test-repository.ts';
import { failsWith } from '../support/signer-failure.ts';
import { runSigner } from '../support/signer-run.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const YEAR_MS = 365 * DAY_MS;

t.test('a node whose clock is wrong', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const repository = await makeTestRepository(bed, 'clock');
  const { gun, secret } = repository;
  const clock = join(bed.directory, 'clock.cjs');
  await writeFile(
    clock,
    `const ahead = Number(process.env.AHEAD_MS);
    const RealDate = Date;
    globalThis.Date = class extends RealDate {
      constructor(...when) { super(...(when.length > 0 ? when : [RealDate.now() + ahead])); }
      static now() { return RealDate.now() + ahead; }
    };`,
  );
  const sign = (ahead: number, notaryUrl = bed.notary.url) =>
    runSigner({
      ...{ directory: bed.directory, notaryUrl, secret, report: reportOf(gun) },
      env: { NODE_OPTIONS: `--require=${clock}`, AHEAD_MS: String(ahead) },
    });

  for (const [what, ahead, role] of [
    ['three weeks ahead', 21 * DAY_MS, /timestamp\.json expired at/],
    ['four years ahead', 4 * YEAR_MS, /timestamp\.json expired at/],
    ['eleven years ahead', 11 * YEAR_MS, /root certificate of .* is not valid at/],
    ['a week behind', -7 * DAY_MS, /root certificate of .* is not valid at/],
  ] as const) {
    t.test(`${what}: the clocks are named first, and no command is`, async (t) => {
      const run = await sign(ahead);
      failsWith(t, run, 'METADATA_EXPIRED');
      t.match(run.receipt.message, /^the clock of this node says .*, that of https:\S+ /);
      t.match(run.receipt.message, role);
      t.match(run.receipt.fix, /^Set the clock that is wrong, .* build again/);
      t.same(commandsIn(run.receipt.fix ?? ''), []);
    });
  }

  for (const [what, date] of [
    ['a server that agrees with it', new Date(Date.now() + 21 * DAY_MS)],
    ['a server that does not tell its time', 'none'],
  ] as const) {
    t.test(`beside ${what}: the role is named, and who renews it`, async (t) => {
      const { authority, notary } = bed;
      const rule = () => ({ kind: 'forward', date }) as const;
      const proxy = await startProxy({ authority, target: notary.url, rule });
      t.teardown(() => proxy.stop());
      const run = await sign(21 * DAY_MS, proxy.url);
      failsWith(t, run, 'METADATA_EXPIRED');
      t.match(run.receipt.message, /^timestamp\.json expired at/);
      t.match(run.receipt.fix, /^The server renews timestamp itself .* build again/);
      t.same(commandsIn(run.receipt.fix ?? ''), []);
    });
  }

  t.test('that is set right signs, and a clock that is a little off does, too', async (t) => {
    for (const ahead of [0, 10 * 60 * 1000, -10 * 60 * 1000]) {
      const { receipt, stdout } = await sign(ahead);
      t.match(receipt.result, /signed/, stdout);
    }
  });
});
