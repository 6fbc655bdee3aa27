import t, { type Test } from 'tap';
import { startBed, type Bed } from '../bed/bed.ts';
import { rootPins } from '../bed/notary-repository.ts';
import { CHANGES } from './support/repository-changes.ts';
import { SHAPES, type Shape } from './support/repository-shapes.ts';
import { fetchRole } from '../support/role-file.ts';
import {
  blankRepository,
  sign,
  verifies,
  type ShapedRepository,
} from '../support/shaped-repository.ts';

// Most of the time one of the programs waits for another.
t.jobs = 4;
t.setTimeout(240_000);

let bed: Bed;
t.before(async () => {
  bed = await startBed();
});
t.teardown(() => bed.stop());

Object.entries(SHAPES).forEach(([name, shape], index) => {
  t.test(`after us, the others still work: ${name}`, { buffered: true }, (t) =>
    takeTurns(t, shape, index),
  );
});

/**
 * We publish, they change something, we publish: nobody loses what another signed. It is our turn
 * after every other change, and in the next shape after those between.
 */
async function takeTurns(t: Test, shape: Shape, index: number): Promise<void> {
  const repository = await shape(blankRepository(bed, `r${index}`));
  const { gun, docker, delegations, prefix, contents } = repository;
  const roles = delegations.length === 0 ? ['targets'] : delegations;
  const custom = await customOf(repository);

  for (const tag of ['0', '1']) await publishes(t, repository, prefix + tag, roles);
  const changes = CHANGES.filter(({ fits }) => fits?.(repository) ?? true);
  for (const [turn, { what, make }] of changes.entries()) {
    await make(repository);
    if ((turn + index) % 2 === 0 && turn < changes.length - 1) continue;
    await publishes(t, repository, `${prefix}after-${what.replace(/\W+/g, '-')}`, roles);
  }

  const last = [...contents.keys()].at(-1) ?? '';
  const pins = await rootPins(docker.trustDirectory, gun);
  t.same(await bed.cli('judge').lookup(gun, last, pins), contents.get(last), 'pinned, too');
  t.ok(await verifies(repository, last), 'notary verify');
  t.same(await customOf(repository), custom, 'what only others write is kept');
  const inspected = await bed.docker('docker-judge').trustInspect(gun);
  t.same(
    inspected.map(({ tag, sha256 }) => `${tag} ${sha256}`).sort(),
    released(repository),
    'docker trust inspect',
  );
}

async function publishes(
  t: Test,
  repository: ShapedRepository,
  tag: string,
  roles: readonly string[],
): Promise<void> {
  const { code, receipt, stdout } = await sign(repository, tag);
  t.equal(code, 0, stdout);
  t.same(
    receipt.repositories[0]?.roles.map(({ name }) => name),
    roles,
  );
  t.same(await listedByCli(repository), all(repository), `we sign ${tag}`);
}

/** What a stranger's notary CLI lists, in the form of {@link all}. */
async function listedByCli({ gun }: ShapedRepository): Promise<readonly string[]> {
  const listed = await bed.cli('judge').list(gun);
  return listed.map(({ tag, sha256, length }) => `${tag} ${sha256} ${length}`).sort();
}

/** Everything that must be there. */
function all({ contents }: ShapedRepository): readonly string[] {
  return [...contents].map(([tag, { sha256, length }]) => `${tag} ${sha256} ${length}`).sort();
}

/** What docker finds: `targets` and `targets/releases`, and no delegation of those or beside them. */
function released({ delegations, contents }: ShapedRepository): readonly string[] {
  const isReleased = delegations.length === 0 || delegations.includes('targets/releases');
  return [...contents]
    .filter(([tag]) => (isReleased ? tag !== 'last-night' : /^(?:first|by-the-owner)$/.test(tag)))
    .map(([tag, { sha256 }]) => `${tag} ${sha256}`)
    .sort();
}

/** The entry that has members which we do not write, where there is one. */
async function customOf(repository: ShapedRepository): Promise<unknown> {
  const { signed } = await fetchRole(repository, 'targets');
  return signed.targets['customised'];
}
