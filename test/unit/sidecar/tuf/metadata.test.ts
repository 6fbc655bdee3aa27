import t from 'tap';
import type { Gun } from '../../../../src/shared/image-reference.ts';
import { emitFile, emitTargets } from '../../../../src/sidecar/tuf/emit.ts';
import { canonicalKeyId, type KeyId } from '../../../../src/sidecar/tuf/key.ts';
import { ROOT, SNAPSHOT, TIMESTAMP, type RoleName } from '../../../../src/sidecar/tuf/metadata.ts';
import {
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from '../../../../src/sidecar/tuf/parse.ts';
import { editRoles } from '../../../../src/sidecar/tuf/publication.ts';
import { chooseRoles } from '../../../../src/sidecar/tuf/role-choice.ts';
import { finish } from '../../../../src/sidecar/tuf/work.ts';
import { fixture } from '../../../support/fixture.ts';
import { fileMeta } from '../../../support/trust/repository.ts';
import { acceptedRoles, failure, signedText, verifyFiles } from '../support/trust/verification.ts';

const A = 'a1'.repeat(32);

t.test('a repository that the reference client made', async (t) => {
  const roles = ['root', 'timestamp', 'snapshot', 'targets', 'targets/alice', 'targets/releases'];
  const files = new Map(
    roles.map((role) => [role as RoleName, fixture(`notary/repo/${role}.json`)]),
  );
  const gun = 'registry.example.test/demo/app' as Gun;
  const now = new Date('2026-11-23T00:00:00Z');
  const parse = (role: string, bytes: Uint8Array) => {
    if (role === 'root') return parseRoot(ROOT, bytes);
    if (role === 'snapshot') return parseSnapshot(SNAPSHOT, bytes);
    if (role === 'timestamp') return parseTimestamp(TIMESTAMP, bytes);
    return finish(parseTargets(role as RoleName, bytes));
  };

  t.test('it verifies, pinned or not', async (t) => {
    const rootId = '0574f7416e605908f3ca6cffdeb13d9edf3aa66c2d42f6f14993212960755e83';
    for (const rootPins of [[], [rootId]]) {
      const repository = verifyFiles(files, { gun, rootPins, now });
      t.same(repository.rootKeyIds, [rootId]);
      t.same(acceptedRoles(repository).sort(), roles.slice(3));
      t.equal(repository.gun, gun);
      const key = repository.root.content.keys.get(rootId as KeyId);
      t.not(key && canonicalKeyId(key), rootId);
      const canonicalPin = (key && canonicalKeyId(key)) ?? '';
      t.same(verifyFiles(files, { gun, rootPins: [canonicalPin], now }).rootKeyIds, [rootId]);
    }
  });

  t.test('every file comes out byte for byte', async (t) => {
    for (const [role, bytes] of files) {
      const file = parse(role, bytes);
      t.same(file.unknownMembers, [], role);
      t.ok(bytes.equals(emitFile(Buffer.from(signedText(file)), file.signatures)), role);
    }
    for (const role of roles.slice(3)) {
      const bytes = files.get(role as RoleName) ?? Buffer.alloc(0);
      const file = finish(parseTargets(role as RoleName, bytes));
      t.equal(emitTargets(file.content).signedText, signedText(file), role);
    }
  });

  t.test('the hashes are those that snapshot and timestamp name', async (t) => {
    const bytes = (role: RoleName) => files.get(role) ?? Buffer.alloc(0);
    const { meta } = parseSnapshot(SNAPSHOT, bytes(SNAPSHOT)).content;
    t.equal(meta.size, 4);
    const { snapshot } = parseTimestamp(TIMESTAMP, bytes(TIMESTAMP)).content;
    for (const [role, { length, hashes }] of [...meta, [SNAPSHOT, snapshot] as const]) {
      t.same({ length, hashes: Object.fromEntries(hashes) }, fileMeta(bytes(role)), role);
    }
  });

  t.test('signing it again keeps what others signed', async (t) => {
    const repository = verifyFiles(files, { gun, rootPins: [], now });
    const held = ['ed2f2f8e58895b651f23d1b4619b885d15584acd46465a8d183fb2cc7db09d10' as KeyId];
    const chosen = chooseRoles(repository, ['v2'], held);
    t.same(
      chosen.map(({ name }) => name),
      ['targets/alice', 'targets/releases'],
    );
    const edits = editRoles(repository, chosen, [{ tag: 'v2', sha256: A, length: 5 }], now);
    t.same(
      edits.map(({ targets }) => targets.version),
      [10, 9],
    );
    t.same(
      edits.map(({ targets }) => [...targets.targets.keys()]),
      [
        ['tag100', 'v1', 'v2'],
        ['tag101', 'v1', 'viafetch', 'v2'],
      ],
    );
  });

  t.test('another name, another pin and another time are refused', async (t) => {
    const verify = (expected: { gun?: string; rootPins?: string[]; now?: Date }) =>
      failure(() =>
        verifyFiles(files, {
          rootPins: [],
          now,
          ...expected,
          gun: (expected.gun ?? gun) as Gun,
        }),
      ).code;
    t.equal(verify({ gun: 'registry.example.test/demo/app2' }), 'ROOT_NAME_MISMATCH');
    t.equal(verify({ gun: 'registry.example.test/demo' }), 'ROOT_NAME_MISMATCH');
    t.equal(verify({ rootPins: ['0'.repeat(64)] }), 'ROOT_PIN_MISMATCH');
    t.equal(verify({ now: new Date('2026-12-07T00:00:00Z') }), 'METADATA_EXPIRED');
  });
});
