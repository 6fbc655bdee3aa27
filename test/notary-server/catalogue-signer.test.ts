import t from 'tap';
import { play, playAll } from './support/catalogue/play.ts';
import { SIGNER_ROWS } from './support/catalogue/repository-rows.ts';
import { makeTestRepository, startServer } from '../support/catalogue/test-repository.ts';

t.test('the failure catalogue, with keys in notary-signer', (t) => playAll(t, 'remote'));

for (const row of SIGNER_ROWS) {
  t.test(row.what, async (t) => {
    const bed = await startServer('remote');
    t.teardown(() => bed.stop());
    await play(t, row, await makeTestRepository(bed, 'signer'));
  });
}
