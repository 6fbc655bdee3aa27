import t from 'tap';
import { TARGETS } from '../../../../src/sidecar/tuf/metadata.ts';
import { editRoles } from '../../../../src/sidecar/tuf/publication.ts';
import { expiryWarnings, missesOf } from '../../../../src/sidecar/tuf/client-visibility.ts';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { makeKey } from '../../../support/trust/key.ts';
import { choose, publish } from '../support/trust/publication.ts';
import { buildRepository, entry, GUN, NOW, RELEASES } from '../../../support/trust/repository.ts';
import { failure, roleFile, verifyBuilt } from '../support/trust/verification.ts';

const SHA256 = 'a1'.repeat(32);
const PAST = '2026-11-22T12:00:00Z';
const v1 = { tag: 'v1', sha256: SHA256, length: 528 };

t.test('roles that have expired', async (t) => {
  const key = makeKey();
  const delegations = [
    { name: RELEASES, keys: [key], targets: { v0: entry(SHA256, 1), v1: entry(SHA256, 528) } },
  ];

  t.test('and are ours are signed again, also when they name the image', async (t) => {
    const built = buildRepository({ delegations, expires: { [RELEASES]: PAST } });
    const repository = verifyBuilt(built);
    t.same([...repository.unread.keys()], [RELEASES]);
    t.same(
      missesOf(repository, v1).map(({ reader, sees }) => `${reader}: ${sees}`),
      [
        'docker pull: none',
        'docker trust inspect: none',
        'notary lookup: none',
        'Connaisseur: none',
      ],
    );
    const after = verifyBuilt(built.publish(await publish(repository, [v1], [key])));
    t.same([...after.unread.keys()], []);
    t.same(missesOf(after, v1), []);
    const { content } = roleFile(after, RELEASES);
    t.equal(content.version, 2);
    t.same([...content.targets.keys()], ['v0', 'v1'], 'nothing is lost');
    t.equal((await publish(after, [v1], [key])).size, 0, 'and then all is signed');
  });

  t.test('top-level targets that are ours, too', async (t) => {
    const owner = makeKey();
    const built = buildRepository({
      keys: { targets: [owner] },
      targets: { v1: entry(SHA256, 528) },
      expires: { targets: PAST },
    });
    const publication = await publish(verifyBuilt(built), [v1], [owner]);
    t.same([...publication.keys()], [TARGETS]);
    t.same([...verifyBuilt(built.publish(publication)).unread.keys()], []);
  });

  t.test('top-level targets of others hide every delegation', async (t) => {
    const repository = verifyBuilt(buildRepository({ delegations, expires: { targets: PAST } }));
    const roles = choose(repository, ['v1'], [key]);
    const error = failure(() => editRoles(repository, roles, [v1], NOW));
    t.equal(error.code, 'METADATA_EXPIRED');
    t.equal(error.message, `targets.json expired at ${PAST}`);
  });
});

t.test('what expires within 180 days is told, with its date', async (t) => {
  const soon = '2027-05-22T11:59:59Z';
  const later = '2027-05-22T12:00:00Z';
  const delegations = [{ name: RELEASES, keys: [makeKey()], targets: {} }];
  const warningsOf = (expires: string, roles = ['root', 'targets', RELEASES]) =>
    expiryWarnings(
      verifyBuilt(
        buildRepository({
          delegations,
          expires: Object.fromEntries(roles.map((role) => [role, expires])),
        }),
      ),
      NOW,
    );
  t.same(
    warningsOf(soon),
    ['root', 'targets', RELEASES].map((role) => `${role}.json expires at 2027-05-22T11:59:59.000Z`),
  );
  t.same(warningsOf(later), []);
  t.same(warningsOf(PAST, [RELEASES]), [`${RELEASES}.json expired at 2026-11-22T12:00:00.000Z`]);
  t.same(warningsOf(soon, ['snapshot', 'timestamp']), [], 'the server signs these');

  const root = makeCertificateKey({ commonName: GUN, to: new Date('2026-12-01T00:00:00Z') });
  const repository = verifyBuilt(buildRepository({ keys: { root: [root] } }));
  t.same(expiryWarnings(repository, NOW), [
    `the certificate of root key ${root.id} expires at 2026-12-01T00:00:00.000Z`,
  ]);
});
