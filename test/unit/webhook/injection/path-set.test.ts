import fc from 'fast-check';
import t from 'tap';
import { isWithin, PathSet } from '../../../../src/webhook/injection/path-set.ts';
import { runs } from '../../../support/runs.ts';

const name = fc.constantFrom('a', 'b', 'a-b', 'a.b', '.', '..', '', 'é');
const path = fc.array(name, { maxLength: 5 }).map((names) => `/${names.join('/')}`);

t.test('it says of any path what looking at each of its paths says', async (t) => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 12 }), path, (paths, asked) => {
      const set = new PathSet(paths);
      const isBelow = paths.some((each) => isWithin(asked, each));
      t.equal(set.contains(asked), isBelow, `${asked} in ${paths.join()}`);
      const overlaps = isBelow || paths.some((each) => isWithin(each, asked));
      t.equal(set.overlaps(asked), overlaps, `${asked} and ${paths.join()}`);
    }),
    runs(2_000),
  );
});
