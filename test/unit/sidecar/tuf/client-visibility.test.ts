import t from 'tap';
import { missesOf } from '../../../../src/sidecar/tuf/client-visibility.ts';
import { makeKey } from '../../../support/trust/key.ts';
import { buildRepository, entry, RELEASES } from '../../../support/trust/repository.ts';
import { verifyBuilt } from '../support/trust/verification.ts';

const OURS = 'a1'.repeat(32);
const THEIRS = 'b2'.repeat(32);
const v1 = { tag: 'v1', sha256: OURS, length: 528 };

t.test(
  'what a delegation signs outside its paths hides nothing, and is found by nobody',
  async (t) => {
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
    t.same(missesOf(repositoryWith(['rc']), v1), []);
    t.same(missesOf(repositoryWith(['rc', 'v']), v1), [
      { reader: 'notary lookup', tag: 'v1', sees: 'another', role: 'targets/alice' },
    ]);
  },
);

/** Who finds what, with these entries for v1; a role that is left out is not there. */
function sights(entries: {
  readonly targets?: string;
  readonly releases?: string;
  readonly alice?: string;
}): Readonly<Record<string, string>> {
  const { targets, releases, alice } = entries;
  const v1Entry = (sha256: string) => ({ v1: entry(sha256, 528) });
  const repository = buildRepository({
    ...(targets !== undefined && { targets: v1Entry(targets) }),
    delegations: [
      ...(alice === undefined
        ? []
        : [{ name: 'targets/alice', keys: [makeKey()], targets: v1Entry(alice) }]),
      ...(releases === undefined
        ? []
        : [
            {
              name: RELEASES,
              keys: [makeKey()],
              ...(releases !== 'unpublished' && { targets: v1Entry(releases) }),
            },
          ]),
    ],
  });
  const misses = missesOf(verifyBuilt(repository), v1);
  return Object.fromEntries(
    misses.map((miss) => [
      miss.reader,
      miss.sees === 'none' ? 'none' : `${miss.sees} ${miss.role}`,
    ]),
  );
}

t.test('each reader has an order of its own', async (t) => {
  t.same(sights({ targets: OURS }), {}, 'a repository without delegations');
  t.same(sights({ targets: OURS, releases: OURS }), {});
  t.same(
    sights({ targets: THEIRS, releases: OURS }),
    { 'docker trust inspect': 'both targets', 'notary lookup': 'another targets' },
    'the owner signed another image in targets',
  );
  t.same(
    sights({ alice: OURS }),
    { 'docker pull': 'none', 'docker trust inspect': 'none', Connaisseur: 'none' },
    'a delegation alone is nothing to docker, and Connaisseur wants targets/releases',
  );
  t.same(
    sights({ alice: OURS, releases: THEIRS }),
    {
      'docker pull': 'another targets/releases',
      'docker trust inspect': 'another targets/releases',
      Connaisseur: 'another targets/releases',
    },
    'an older release',
  );
  t.same(
    sights({ alice: OURS, targets: OURS, releases: 'unpublished' }),
    {},
    'releases that were never published are passed over by all',
  );
});
