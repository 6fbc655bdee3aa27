import t from 'tap';
import { whoMisses } from '../../../src/shared/tuf/reader.ts';
import { makeKey } from '../../trust/key.ts';
import { buildRepository, entry, RELEASES } from '../../trust/repository.ts';
import { verifyBuilt } from '../../trust/verification.ts';

const OURS = 'a1'.repeat(32);
const THEIRS = 'b2'.repeat(32);
const v1 = { tag: 'v1', sha256: OURS, length: 528 };

t.test('what a delegation signs outside its paths hides nothing, and is found by nobody', (t) => {
  const repositoryWith = (paths: readonly string[]) =>
    verifyBuilt(
      buildRepository({
        delegations: [
          {
            name: 'targets/alice',
            keys: [makeKey()],
            paths,
            targets: { v1: entry(THEIRS, 1) },
          },
          { name: RELEASES, keys: [makeKey()], targets: { v1: entry(OURS, 528) } },
        ],
      }),
    );
  t.same(whoMisses(repositoryWith(['rc']), v1), []);
  t.same(whoMisses(repositoryWith(['rc', 'v']), v1), [
    'notary lookup shows another v1, that of targets/alice',
  ]);
  t.end();
});
