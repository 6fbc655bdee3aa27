import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import type { RoleName } from '../../../../src/sidecar/tuf/metadata.ts';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { anyDamage, type Damage } from '../support/trust/damage.ts';
import { makeKey } from '../../../support/trust/key.ts';
import {
  buildRepository,
  entry,
  GUN,
  RELEASES,
  type BuiltRepository,
} from '../../../support/trust/repository.ts';
import { signedText, verifyBuilt } from '../support/trust/verification.ts';
import type { TrustRepository } from '../../../../src/sidecar/tuf/trust-repository.ts';
import { runs } from '../../../support/runs.ts';

const A = 'a1'.repeat(32);
const key = makeKey();
const keys = {
  root: [makeCertificateKey({ commonName: GUN })],
  targets: [makeKey('rsa2048')],
  snapshot: [makeKey('ed25519')],
  timestamp: [makeKey('ed25519')],
};

/** States of one repository, each of them good. */
const [first, second] = [1, 2].map((version) =>
  buildRepository({
    keys,
    versions: {
      root: version,
      targets: version,
      snapshot: version,
      timestamp: version,
      [RELEASES]: version,
    },
    targets: { latest: entry(A, version) },
    delegations: [
      { name: RELEASES, keys: [key], targets: { v1: entry(A, version) } },
      { name: 'targets/unpublished', keys: [makeKey('ed25519')] },
    ],
  }),
) as [BuiltRepository, BuiltRepository];
const stranger = buildRepository({ targets: { latest: entry('b2'.repeat(32), 9) } });
const GOOD = [first, second].map((built) => contentsOf(verifyBuilt(built)));

/** Everything that a reader believes of a repository. */
function contentsOf({ root, rootKeyIds, timestamp, snapshot, targets, ...rest }: TrustRepository) {
  const { delegations, rejected, unread } = rest;
  const files = [root, timestamp, snapshot, targets, ...delegations.values()];
  return {
    rootKeyIds,
    roles: [...delegations.keys(), ...rejected.keys(), ...unread.keys()],
    contents: files.map(({ content }) => content),
    signed: files.map(signedText),
  };
}

/** A repository in which files are changed is one of the good ones, or refused. */
function demandGoodOrRefused(files: ReadonlyMap<RoleName, Uint8Array>): boolean {
  let believed: TrustRepository;
  try {
    believed = verifyBuilt({ ...first, files: files as BuiltRepository['files'] });
  } catch (error) {
    assert(error instanceof SigningError, String(error));
    assert.match(error.code, /^(?:METADATA_(?:INVALID|INCONSISTENT|EXPIRED)|ROOT_NAME_MISMATCH)$/);
    return false;
  }
  const contents = contentsOf(believed);
  assert.ok(
    GOOD.some((good) => isEqual(good, contents)),
    'what nobody signed was believed',
  );
  return true;
}

function isEqual(one: unknown, other: unknown): boolean {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}

const roles = [...first.files.keys()];
const role = fc.constantFrom(...roles);

t.test('a repository', async (t) => {
  t.test('whose files were damaged is refused, or the one that was signed', async (t) => {
    const damages = fc.array(fc.tuple(role, anyDamage), { minLength: 1, maxLength: 2 });
    const start = performance.now();
    fc.assert(
      fc.property(damages, (damages: readonly (readonly [RoleName, Damage])[]) => {
        const files = new Map<RoleName, Uint8Array>(first.files);
        for (const [name, damage] of damages) {
          files.set(name, damage(files.get(name) ?? Buffer.alloc(0)));
        }
        demandGoodOrRefused(files);
      }),
      runs(1000),
    );
    t.ok(performance.now() - start < 60_000);
  });

  t.test(
    'whose files are missing, of other roles, states or repositories is refused, too',
    async (t) => {
      const source = fc.constantFrom(undefined, first, second, stranger);
      const swap = fc.tuple(role, source, role);
      let believed = 0;
      fc.assert(
        fc.property(fc.array(swap, { minLength: 1, maxLength: 6 }), (swaps) => {
          const files = new Map<RoleName, Uint8Array>(first.files);
          for (const [name, from, of] of swaps) {
            const bytes = from?.files.get(of);
            if (bytes) files.set(name, bytes);
            else files.delete(name);
          }
          if (demandGoodOrRefused(files)) believed += 1;
        }),
        runs(1000),
      );
      t.comment(`${believed} were good`);
    },
  );

  t.test('whose files are each from one of two states is one of the two, or refused', async (t) => {
    let believed = 0;
    fc.assert(
      fc.property(fc.tuple(...roles.map(() => fc.boolean())), (choices) => {
        const files = roles.map((name, i): [RoleName, Uint8Array] => [
          name,
          (choices[i] ? first : second).files.get(name) ?? Buffer.alloc(0),
        ]);
        if (demandGoodOrRefused(new Map(files))) believed += 1;
      }),
      { numRuns: 150 },
    );
    t.ok(believed > 0, `${believed} were good`);
  });
});
