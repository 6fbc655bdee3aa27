import t from 'tap';
import { TARGETS, type RoleName } from '../../../../src/sidecar/tuf/metadata.ts';
import { editRoles } from '../../../../src/sidecar/tuf/publication.ts';
import type { ChosenRole } from '../../../../src/sidecar/tuf/role-choice.ts';
import { setAt, type Draft, type DraftObject } from '../../../support/trust/draft.ts';
import { makeKey } from '../../../support/trust/key.ts';
import { publish } from '../support/trust/publication.ts';
import {
  buildRepository,
  entry,
  GUN,
  NOW,
  RELEASES,
  type BuiltRepository,
} from '../../../support/trust/repository.ts';
import { failure, verifyBuilt } from '../support/trust/verification.ts';

const A = 'a1'.repeat(32);
const B = 'b2'.repeat(32);

t.test('publications', async (t) => {
  const v1 = { tag: 'v1', sha256: A, length: 528 };

  t.test(
    'a role that holds members that we do not know verifies, and is not signed again',
    async (t) => {
      const key = makeKey();
      const signedMembers: readonly (readonly [
        path: string | string[],
        value: Draft | undefined,
        name: string,
      ])[] = [
        ['extra', 1, 'signed.extra'],
        ['delegations.extra', {}, 'signed.delegations.extra'],
        [['targets', 'old', 'extra'], 'x', 'signed.targets["old"].extra'],
        ['delegations.roles.0.extra', null, 'signed.delegations.roles[0].extra'],
        [`delegations.keys.${key.id}.extra`, 1, `signed.delegations.keys.${key.id}.extra`],
        [
          `delegations.keys.${key.id}.keyval.extra`,
          1,
          `signed.delegations.keys.${key.id}.keyval.extra`,
        ],
        [
          `delegations.keys.${key.id}.keyval.private`,
          'secret',
          `signed.delegations.keys.${key.id}.keyval.private`,
        ],
        [
          `delegations.keys.${key.id}.keyval.private`,
          undefined,
          `signed.delegations.keys.${key.id}.keyval.private`,
        ],
      ];
      const refused = (built: BuiltRepository, name: string, role: RoleName = RELEASES) => {
        const repository = verifyBuilt(built);
        const self: ChosenRole = {
          name: role,
          threshold: 1,
          keyIds: new Map([[key.id, key.id]]),
          tags: ['v1', 'old'],
        };
        const error = failure(() => editRoles(repository, [self], [v1], NOW));
        t.equal(error.code, 'METADATA_UNKNOWN_MEMBER', name);
        t.equal(error.message, `${role}.json of ${GUN} holds ${name}`);
        const same = { tag: 'old', sha256: B, length: 2 };
        t.same(
          editRoles(repository, [self], [same], NOW),
          [],
          `${name}: nothing to do is no error`,
        );
      };
      const base = { keys: { targets: [key] } };
      for (const [path, value, name] of signedMembers) {
        const edit = (signed: DraftObject) => setAt(signed, path, value);
        if (!name.includes('delegations.')) {
          const delegations = [{ name: RELEASES, keys: [key], targets: { old: entry(B, 2) } }];
          refused(buildRepository({ ...base, delegations, edit: { [RELEASES]: edit } }), name);
        }
        const delegations = [{ name: RELEASES, keys: [makeKey()], targets: {} }];
        const withKey = (signed: DraftObject) => {
          setAt(signed, `delegations.keys.${key.id}`, {
            keytype: key.keytype,
            keyval: { private: null, public: key.public },
          });
          edit(signed);
        };
        refused(
          buildRepository({
            ...base,
            targets: { old: entry(B, 2) },
            delegations,
            edit: { targets: withKey },
          }),
          name,
          TARGETS,
        );
      }
      for (const [path, name] of [
        ['extra', '$.extra'],
        ['signatures.0.extra', 'signatures[0].extra'],
      ] as const) {
        const delegations = [{ name: RELEASES, keys: [key], targets: { old: entry(B, 2) } }];
        const editFile = { [RELEASES]: (file: DraftObject) => setAt(file, path, 1) };
        refused(buildRepository({ ...base, delegations, editFile }), name);
      }
      const elsewhere = buildRepository({
        delegations: [{ name: RELEASES, keys: [key], targets: {} }],
        edit: Object.fromEntries(
          ['root', 'snapshot', 'timestamp', 'targets'].map((role) => [
            role,
            (signed) => setAt(signed, 'extra', 1),
          ]),
        ),
      });
      t.equal(
        (await publish(verifyBuilt(elsewhere), [v1], [key])).size,
        1,
        'members of files that we do not sign do no harm',
      );
    },
  );
});
