import t from 'tap';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { makeKey } from '../../../support/trust/key.ts';
import {
  buildRepository,
  entry,
  GUN,
  RELEASES,
  type RepositoryOptions,
} from '../../../support/trust/repository.ts';
import { failure, verifyBuilt } from '../support/trust/verification.ts';

t.test('a repository that was loaded before', async (t) => {
  const oldRoot = makeCertificateKey({ commonName: GUN });
  const newRoot = makeCertificateKey({ commonName: GUN });
  const alice = makeKey();
  const base: RepositoryOptions = {
    keys: {
      root: [oldRoot],
      targets: [makeKey()],
      snapshot: [makeKey('ed25519')],
      timestamp: [makeKey('ed25519')],
    },
    delegations: [{ name: RELEASES, keys: [alice], targets: { v1: entry('a1'.repeat(32), 1) } }],
    versions: { root: 2, timestamp: 5, snapshot: 5, targets: 5, [RELEASES]: 5 },
  };
  const earlier = verifyBuilt(buildRepository(base));

  t.test('may stay as it is, and advance in every role', async (t) => {
    t.ok(verifyBuilt(buildRepository(base), { earlier }));
    const versions = { root: 3, timestamp: 6, snapshot: 6, targets: 6, [RELEASES]: 6 };
    t.ok(verifyBuilt(buildRepository({ ...base, versions }), { earlier }));
  });

  t.test('goes back in no role', async (t) => {
    for (const role of ['root', 'timestamp', 'snapshot', 'targets', RELEASES]) {
      const versions = { ...base.versions, [role]: 1 };
      const error = failure(() => verifyBuilt(buildRepository({ ...base, versions }), { earlier }));
      t.equal(error.code, 'METADATA_ROLLED_BACK', role);
      t.ok(error.isTransient, 'a cache may catch up');
      const before = role === 'root' ? 2 : 5;
      t.match(
        error.message,
        `${role}.json of ${GUN} was served in version ${before}, and is now in 1`,
      );
    }
  });

  t.test('has its root rotated by those who held it, to one that is pinned', async (t) => {
    const rotated = (signers: NonNullable<RepositoryOptions['signers']>) =>
      buildRepository({
        ...base,
        keys: { ...base.keys, root: [newRoot] },
        signers,
        versions: { ...base.versions, root: 3 },
      });
    const both = rotated({ root: [oldRoot, newRoot] });
    t.same(verifyBuilt(both, { earlier }).rootKeyIds, [newRoot.id]);
    t.same(verifyBuilt(both, { earlier, rootPins: [newRoot.id] }).rootKeyIds, [newRoot.id]);
    const left = failure(() => verifyBuilt(both, { earlier, rootPins: [oldRoot.id] }));
    t.equal(left.code, 'ROOT_PIN_MISMATCH', 'a fresh client with that pin would refuse it too');
    const error = failure(() => verifyBuilt(rotated({ root: [newRoot] }), { earlier }));
    t.equal(error.code, 'ROOT_REPLACED', 'a root that the old key did not sign');
  });
});
