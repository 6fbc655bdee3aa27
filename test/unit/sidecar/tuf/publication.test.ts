import { sign } from 'node:crypto';
import t from 'tap';
import { emitTargets } from '../../../../src/sidecar/tuf/emit.ts';
import { TARGETS, type RoleName } from '../../../../src/sidecar/tuf/metadata.ts';
import { parseTargets } from '../../../../src/sidecar/tuf/parse.ts';
import {
  editRoles,
  namesTarget,
  signEdits,
  type Publication,
  type SigningKey,
  fileOf,
} from '../../../../src/sidecar/tuf/publication.ts';
import { finish } from '../../../../src/sidecar/tuf/work.ts';
import type { ChosenRole } from '../../../../src/sidecar/tuf/role-choice.ts';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { setAt, type DraftObject } from '../../../support/trust/draft.ts';
import { asSigningKey, makeKey, signText } from '../../../support/trust/key.ts';
import { choose, publish, releaseRepository } from '../support/trust/publication.ts';
import { buildRepository, entry, NOW, RELEASES } from '../../../support/trust/repository.ts';
import {
  failure,
  roleFile,
  signedText,
  targetsOf,
  verifyBuilt,
} from '../support/trust/verification.ts';

const A = 'a1'.repeat(32);
const B = 'b2'.repeat(32);
// Made once: RSA keys are slow to make.
const rsa = makeKey('rsa2048');

t.test('publications', async (t) => {
  const v1 = { tag: 'v1', sha256: A, length: 528 };
  const role = (publication: Publication, name: RoleName) => {
    const bytes = publication.get(name);
    if (!bytes) throw new Error(`${name} is not published`);
    return { bytes: Buffer.from(bytes), file: finish(parseTargets(name, bytes)) };
  };

  t.test('a role that was never published starts at version 1', async (t) => {
    const { key, repository } = releaseRepository();
    const { bytes } = role(await publish(repository, [v1], [key]), RELEASES);
    const text =
      '{"_type":"Targets","delegations":{"keys":{},"roles":[]},"expires":"2029-11-22T12:00:00Z",' +
      `"targets":{"v1":{"hashes":{"sha256":"${Buffer.from(A, 'hex').toString('base64')}"},"length":528}},"version":1}`;
    const wire = bytes.toString();
    t.ok(
      wire.startsWith(
        `{"signed":${text},"signatures":[{"keyid":"${key.id}","method":"ecdsa","sig":"`,
      ),
    );
    t.match(wire, /"sig":"[A-Za-z0-9+/]{86}=="}]}$/);
  });

  t.test('what is published verifies, and is the next version', async (t) => {
    const others: DraftObject = {
      old: { ...entry(B, 9), custom: { note: 'a<b>&"\\', list: [1, null, { z: 1, a: 2 }] } },
      both: {
        hashes: { sha256: entry(B, 1)['hashes'] as never, sha512: 'x'.repeat(86) },
        length: 0,
      },
      v1: { ...entry(B, 7), custom: { old: true } },
    };
    setAt(others, 'both.hashes.sha256', Buffer.from(B, 'hex').toString('base64'));
    for (const key of [
      makeKey(),
      makeKey('p384'),
      rsa,
      makeKey('ed25519'),
      makeCertificateKey({ commonName: 'x' }),
    ]) {
      const { built, repository } = releaseRepository({
        key,
        entries: others,
        versions: { [RELEASES]: 41 },
      });
      const publication = await publish(repository, [v1, { ...v1, tag: 'a&b' }], [key]);
      t.same([...publication.keys()], [RELEASES]);
      const after = verifyBuilt(built.publish(publication));
      const { content, signatures, unknownMembers } = roleFile(after, RELEASES);
      t.equal(content.version, 42);
      t.same(unknownMembers, []);
      t.same(
        signatures.map(({ keyId, method }) => ({ keyId, method })),
        [{ keyId: key.id, method: key.method }],
      );
      t.equal(content.expires, '2029-11-22T12:00:00Z');
      const written = JSON.parse(emitTargets(content).text) as { targets: DraftObject };
      t.strictSame(
        written.targets,
        { ...others, v1: entry(A, 528), 'a&b': entry(A, 528) },
        key.keytype,
      );
    }
  });

  t.test('methods are named as Notary names them', async (t) => {
    const methods = { p256: 'ecdsa', p384: 'ecdsa', rsa2048: 'rsapss', ed25519: 'eddsa' } as const;
    for (const [kind, method] of Object.entries(methods)) {
      const { key, repository } = releaseRepository({
        key: kind === 'rsa2048' ? rsa : makeKey(kind as 'p256'),
      });
      const { file } = role(await publish(repository, [v1], [key]), RELEASES);
      t.equal(file.signatures[0]?.method, method, kind);
    }
  });

  t.test(
    'the key id is the one that the role lists, also where that is of a certificate',
    async (t) => {
      const key = makeKey();
      const certificate = makeCertificateKey({ commonName: 'me', key });
      const { built, repository } = releaseRepository({ key: certificate });
      const publication = await publish(repository, [v1], [key]);
      t.equal(role(publication, RELEASES).file.signatures[0]?.keyId, certificate.id);
      t.ok(verifyBuilt(built.publish(publication)));
    },
  );

  t.test(
    'targets itself is signed, with its delegations kept, where nothing is delegated to us',
    async (t) => {
      const key = makeKey();
      const built = buildRepository({ keys: { targets: [key] }, targets: { old: entry(B, 2) } });
      const publication = await publish(verifyBuilt(built), [v1], [key]);
      t.same([...publication.keys()], [TARGETS]);
      const after = verifyBuilt(built.publish(publication));
      t.same([...targetsOf(after).targets.keys()].sort(), ['old', 'v1']);

      const delegated = buildRepository({
        keys: { targets: [key] },
        delegations: [
          {
            name: RELEASES,
            keys: [makeCertificateKey({ commonName: 'them' }), rsa],
            paths: ['v', ''],
            targets: {},
          },
          { name: 'targets/none', keys: [makeKey()], paths: [] },
        ],
      });
      const self: ChosenRole = {
        name: TARGETS,
        threshold: 1,
        keyIds: new Map([[key.id, key.id]]),
        tags: ['v1'],
      };
      const edits = editRoles(verifyBuilt(delegated), [self], [v1], NOW);
      const again = verifyBuilt(delegated.publish(await signEdits(edits, [asSigningKey(key)])));
      t.strictSame(targetsOf(again).delegations, targetsOf(verifyBuilt(delegated)).delegations);
      const file = roleFile(verifyBuilt(delegated), TARGETS);
      t.equal(
        emitTargets(file.content).signedText,
        signedText(file),
        'paths that are absent stay absent',
      );
    },
  );

  t.test('several roles, several tags, several keys', async (t) => {
    const [a, b, stranger] = [makeKey(), rsa, makeKey()];
    const built = buildRepository({
      delegations: [
        { name: RELEASES, keys: [a, b], threshold: 2, targets: {} },
        { name: 'targets/rc', keys: [a], paths: ['rc'] },
      ],
    });
    const publication = await publish(
      verifyBuilt(built),
      [v1, { tag: 'rc1', sha256: B, length: 3 }],
      [stranger, b, a],
    );
    t.same([...publication.keys()].sort(), ['targets/rc', RELEASES].sort());
    const after = verifyBuilt(built.publish(publication));
    t.same([...(fileOf(after, RELEASES)?.content.targets.keys() ?? [])], ['rc1', 'v1']);
    t.same([...(fileOf(after, 'targets/rc' as RoleName)?.content.targets.keys() ?? [])], ['rc1']);
    t.same(
      fileOf(after, RELEASES)
        ?.signatures.map(({ keyId }) => keyId)
        .sort(),
      [a.id, b.id].sort(),
    );
    t.equal(
      fileOf(after, 'targets/rc' as RoleName)?.signatures.length,
      1,
      'by keys of the role alone',
    );
  });

  t.test('nothing to do where the same manifest stands there', async (t) => {
    const noted = { ...entry(A, 528), custom: { note: 1 } };
    const { key, repository } = releaseRepository({ entries: { v1: noted, v2: entry(A, 529) } });
    t.equal((await publish(repository, [v1], [key])).size, 0);
    t.equal((await publish(repository, [v1, v1], [key])).size, 0);
    const changed = [
      { ...v1, sha256: B },
      { ...v1, length: 529 },
      { ...v1, tag: 'v3' },
      { ...v1, tag: 'v2' },
    ];
    for (const target of changed) {
      t.equal((await publish(repository, [target], [key])).size, 1);
      t.equal((await publish(repository, [v1, target], [key])).size, 1);
    }
    const { content } = roleFile(repository, RELEASES);
    t.equal(namesTarget(content, v1), true);
    t.equal(namesTarget(content, { ...v1, length: 5 }), false);
    t.equal(namesTarget(undefined, v1), false);
  });

  t.test(
    'what others emptied (null, as Go writes it) is empty, and is written as empty',
    async (t) => {
      const owner = makeKey();
      const built = buildRepository({
        keys: { targets: [owner] },
        edit: {
          targets: (signed) => {
            setAt(signed, 'delegations.roles', null);
            setAt(signed, 'delegations.keys', null);
            setAt(signed, 'targets', null);
          },
        },
      });
      const { bytes, file } = role(await publish(verifyBuilt(built), [v1], [owner]), TARGETS);
      t.match(bytes.toString(), '"delegations":{"keys":{},"roles":[]}');
      t.same([...file.content.targets.keys()], ['v1']);
    },
  );

  t.test('only the role that lacks the tag changes', async (t) => {
    const key = makeKey();
    const built = buildRepository({
      delegations: [
        { name: RELEASES, keys: [key], targets: { v1: entry(A, 528) } },
        { name: 'targets/alice', keys: [key], targets: {} },
      ],
    });
    t.same([...(await publish(verifyBuilt(built), [v1], [key])).keys()], ['targets/alice']);
  });

  t.test('a role that is published and was not loaded is never started anew', async (t) => {
    const missing = () =>
      releaseRepository({ entries: {}, serve: { [RELEASES]: () => undefined } });
    t.equal(failure(missing).code, 'METADATA_INCONSISTENT');
  });

  t.test('a signature of our own that does not verify is not published', async (t) => {
    const { key, repository } = releaseRepository();
    const good = asSigningKey(key);
    const edits = editRoles(repository, choose(repository, ['v1'], [key]), [v1], NOW);
    const broken: readonly SigningKey[] = [
      {
        ...good,
        sign: (message) => Promise.resolve(sign('sha256', message, key.privateKey)),
      },
      { ...good, sign: (message) => Promise.resolve(signText(message, makeKey())) },
      { ...good, method: 'rsapss' },
    ];
    for (const key of broken) await t.rejects(signEdits(edits, [key]), { code: 'INTERNAL' });
  });
});
