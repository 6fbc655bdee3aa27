import t from 'tap';
import { TARGETS } from '../../../../src/sidecar/tuf/metadata.ts';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { makeKey, type TestKey } from '../../../support/trust/key.ts';
import { choose } from '../support/trust/publication.ts';
import {
  buildRepository,
  RELEASES,
  type RepositoryOptions,
} from '../../../support/trust/repository.ts';
import { failure, verifyBuilt } from '../support/trust/verification.ts';

t.test('roles to sign', async (t) => {
  const [mine, also, theirs] = [makeKey(), makeKey(), makeKey()];
  const certificate = makeCertificateKey({ commonName: 'me', key: mine });
  const chosenNames = (
    delegations: RepositoryOptions['delegations'],
    tags: readonly string[],
    keys = [mine],
    options: RepositoryOptions = {},
  ) => {
    const roles = choose(
      verifyBuilt(buildRepository({ ...options, delegations: delegations ?? [] })),
      tags,
      keys,
    );
    return roles.map(({ name, tags }) => `${name}: ${tags.join(' ')}`);
  };

  t.test('targets, where nothing is delegated', async (t) => {
    const repository = verifyBuilt(buildRepository({ keys: { targets: [theirs, mine] } }));
    const [role, ...others] = choose(repository, ['v1', 'v2'], [mine]);
    t.same(role, {
      name: TARGETS,
      threshold: 1,
      keyIds: new Map([[mine.id, mine.id]]),
      tags: ['v1', 'v2'],
    });
    t.same(others, []);
  });

  t.test('else every direct delegation that lists our key and covers the tag', async (t) => {
    const declare = (name: string, keys: readonly TestKey[], paths = ['']) => ({
      name: `targets/${name}`,
      keys,
      paths,
    });
    const cases: readonly (readonly [
      string,
      RepositoryOptions['delegations'],
      string[],
      string[],
    ])[] = [
      [
        'all of them',
        [declare('releases', [mine]), declare('alice', [mine])],
        ['v1'],
        ['targets/releases: v1', 'targets/alice: v1'],
      ],
      [
        'not those of others',
        [declare('releases', [mine]), declare('bob', [theirs])],
        ['v1'],
        ['targets/releases: v1'],
      ],
      ['among other keys', [declare('releases', [theirs, mine])], ['v1'], ['targets/releases: v1']],
      [
        'by a certificate over our key',
        [declare('releases', [certificate])],
        ['v1'],
        ['targets/releases: v1'],
      ],
      [
        'a prefix covers what begins with it',
        [declare('a', [mine], ['v1'])],
        ['v1', 'v1.2', 'v10'],
        ['targets/a: v1 v1.2 v10'],
      ],
      [
        'each tag by the roles that cover it',
        [declare('a', [mine], ['v1', 'x']), declare('b', [mine], ['v2', 'v'])],
        ['v1', 'v2', 'x'],
        ['targets/a: v1 x', 'targets/b: v1 v2'],
      ],
      [
        'not those that cover no tag',
        [declare('a', [mine]), declare('b', [mine], ['w'])],
        ['v1'],
        ['targets/a: v1'],
      ],
      [
        'not those without paths',
        [declare('a', [mine]), declare('b', [mine], [])],
        ['v1'],
        ['targets/a: v1'],
      ],
      [
        'not nested ones',
        [declare('a', [mine]), declare('a/b', [mine])],
        ['v1'],
        ['targets/a: v1'],
      ],
      [
        'not ones outside targets',
        [declare('a', [mine]), { name: 'other/b', keys: [mine] }],
        ['v1'],
        ['targets/a: v1'],
      ],
      ['no tag, no role', [declare('a', [mine])], [], []],
    ];
    for (const [what, delegations, tags, expected] of cases) {
      t.same(chosenNames(delegations, tags), expected, what);
    }
  });

  t.test('a role names the id under which it lists our key', async (t) => {
    const repository = verifyBuilt(
      buildRepository({ delegations: [{ name: RELEASES, keys: [certificate] }] }),
    );
    const [role] = choose(repository, ['v1'], [mine]);
    t.same([...(role?.keyIds ?? [])], [[mine.id, certificate.id]]);
    t.not(certificate.id, mine.id);
  });

  t.test('a tag that no role lets us sign is an error that says what there is', async (t) => {
    const delegations = [
      { name: RELEASES, keys: [certificate], paths: ['v', 'rc-'] },
      { name: 'targets/bob', keys: [theirs], threshold: 2 },
      { name: 'targets/none', keys: [mine], paths: [] },
      { name: 'targets/deep/er', keys: [mine] },
    ];
    const refusal = (
      tags: readonly string[],
      keys: readonly TestKey[],
      options: RepositoryOptions,
    ) => failure(() => choose(verifyBuilt(buildRepository(options)), tags, keys));
    const error = refusal(['v1', 'latest'], [mine, also], { delegations });
    t.equal(error.code, 'KEY_NOT_IN_ROLE');
    t.equal(
      error.message,
      `no role lets the keys of the signing Secret (${mine.id}, ${also.id}) sign latest; ` +
        `targets/releases (threshold 1) lists ${mine.id} for tags that begin with v or rc-; ` +
        `targets/bob (threshold 2) lists ${theirs.id} for all tags; ` +
        `targets/none (threshold 1) lists ${mine.id} for no tags; ` +
        `targets/deep/er (threshold 1) lists ${mine.id} for all tags, but is no direct delegation; ` +
        'targets itself signs nothing where there are delegations',
    );
    const unheld = refusal(['a', 'b'], [also], { delegations });
    t.match(unheld.message, `no role lets the keys of the signing Secret (${also.id}) sign a, b; `);
    const undelegated = refusal(['v1'], [mine], { keys: { targets: [theirs] } });
    t.equal(undelegated.code, 'KEY_NOT_IN_ROLE');
    t.equal(
      undelegated.message,
      `no role lets the keys of the signing Secret (${mine.id}) sign v1; targets (threshold 1) lists ${theirs.id}`,
    );
    t.equal(
      refusal(['v1'], [mine], {
        keys: { targets: [mine] },
        delegations: [{ name: RELEASES, keys: [theirs] }],
      }).code,
      'KEY_NOT_IN_ROLE',
      'targets is not signed where something is delegated',
    );
    t.equal(
      refusal(['v1'], [mine], { delegations: [{ name: 'targets/a/b', keys: [mine] }] }).code,
      'KEY_NOT_IN_ROLE',
    );
  });

  t.test('a threshold needs as many of its keys', async (t) => {
    const delegations = [{ name: RELEASES, keys: [mine, also, theirs], threshold: 2 }];
    const repository = verifyBuilt(buildRepository({ delegations }));
    const error = failure(() => choose(repository, ['v1'], [mine]));
    t.equal(error.code, 'ROLE_THRESHOLD');
    t.equal(
      error.message,
      'targets/releases needs 2 signatures, and the signing Secret holds 1 of its keys',
    );
    t.equal(choose(repository, ['v1'], [mine, also])[0]?.keyIds.size, 2);
    const twice = verifyBuilt(
      buildRepository({
        delegations: [{ name: RELEASES, keys: [mine, certificate], threshold: 2 }],
      }),
    );
    t.equal(
      failure(() => choose(twice, ['v1'], [mine])).code,
      'ROLE_THRESHOLD',
      'one key under two ids',
    );
  });
});
