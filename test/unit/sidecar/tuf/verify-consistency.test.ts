import t from 'tap';
import type { Gun } from '../../../../src/shared/image-reference.ts';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { ROOT, SNAPSHOT, TARGETS, TIMESTAMP } from '../../../../src/sidecar/tuf/metadata.ts';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { setAt, type Draft, type DraftObject } from '../../../support/trust/draft.ts';
import { makeKey } from '../../../support/trust/key.ts';
import { buildRepository, entry, GUN, NOW, RELEASES } from '../../../support/trust/repository.ts';
import { checkRefused, failure, verifyBuilt, verifyFiles } from '../support/trust/verification.ts';

const A = 'a1'.repeat(32);

t.test('a bad repository is refused', async (t) => {
  const key = makeKey();

  t.test('files that do not belong together', async (t) => {
    const code = 'METADATA_INCONSISTENT';
    const delegations = [{ name: RELEASES, keys: [key], targets: { v1: entry(A, 1) } }];
    const base = { delegations };
    const flip = (bytes: Buffer) => {
      const changed = Buffer.from(bytes);
      changed[changed.length - 6] = (changed[changed.length - 6] ?? 0) ^ 1;
      return changed;
    };
    const [first, second] = [1, 2].map((version) =>
      buildRepository({
        ...base,
        versions: { snapshot: version, targets: version, root: version, [RELEASES]: version },
      }),
    );
    for (const role of [ROOT, SNAPSHOT, TARGETS, RELEASES]) {
      const parent = role === SNAPSHOT ? 'timestamp' : 'snapshot';
      const message = new RegExp(`^${role}.json is not the file that its ${parent} names$`);
      const meta = role === SNAPSHOT ? ['meta', 'snapshot'] : ['meta', role];
      const inParent =
        (...path: string[]) =>
        (value: Draft | undefined) => ({
          ...base,
          edit: { [parent]: (signed: DraftObject) => setAt(signed, [...meta, ...path], value) },
        });
      const wrong = Buffer.alloc(32).toString('base64');
      checkRefused(t, [
        ...(role === ROOT
          ? []
          : [
              {
                what: `${role} with another byte`,
                options: { ...base, serve: { [role]: flip } },
                code,
                message,
              },
            ]),
        {
          what: `${role} with a longer file`,
          options: {
            ...base,
            serve: { [role]: (bytes) => Buffer.concat([bytes, Buffer.from('\n')]) },
          },
          code,
          message,
        },
        {
          what: `${role} under another sha256`,
          options: inParent('hashes', 'sha256')(wrong),
          code,
          message,
        },
        {
          what: `${role} without sha256`,
          options: inParent('hashes', 'sha256')(undefined),
          code,
          message,
        },
        {
          what: `${role} under another sha512`,
          options: inParent('hashes', 'sha512')(wrong),
          code,
          message,
        },
        {
          what: `${role} under a sha512 of no text`,
          options: inParent('hashes', 'sha512')(''),
          code,
          message,
        },
        { what: `${role} under another length`, options: inParent('length')(3), code, message },
        // A delegation that is not listed is one in which nothing was published yet.
        ...(role === SNAPSHOT || role === RELEASES
          ? []
          : [
              {
                what: `${role} not listed`,
                options: inParent()(undefined),
                code,
                message: new RegExp(`^snapshot.json does not list ${role}$`),
              },
            ]),
        {
          what: `${role} missing`,
          options: { ...base, serve: { [role]: () => undefined } },
          code,
          message: new RegExp(
            `^the server lists ${role}.json with SHA-256 [0-9a-f]{64}, and does not have it$`,
          ),
        },
      ]);
      const swapped = new Map([
        ...(first?.files ?? []),
        [role, second?.files.get(role) ?? Buffer.alloc(0)],
      ]);
      t.throws(
        () => verifyFiles(swapped, { gun: GUN as Gun, rootPins: [], now: NOW }),
        SigningError,
        `${role} of another time`,
      );
    }
    checkRefused(t, [
      {
        what: 'no timestamp',
        options: { serve: { timestamp: () => undefined } },
        code,
        message: /^timestamp.json is missing$/,
      },
    ]);
    const keys = {
      root: [makeCertificateKey({ commonName: GUN })],
      targets: [key],
      snapshot: [key],
      timestamp: [key],
    };
    const [older, newer] = [1, 2].map((version) =>
      buildRepository({ keys, versions: { snapshot: version, root: version, targets: version } }),
    );
    for (const role of [ROOT, SNAPSHOT, TARGETS]) {
      const mixed = new Map([
        ...(newer?.files ?? []),
        [role, older?.files.get(role) ?? Buffer.alloc(0)],
      ]);
      const error = failure(() => verifyFiles(mixed, { gun: GUN as Gun, rootPins: [], now: NOW }));
      t.equal(error.code, code, `an older ${role} by the same keys`);
    }
  });

  t.test('files that have expired', async (t) => {
    const delegations = [{ name: RELEASES, keys: [key], targets: {} }];
    for (const role of [ROOT, TIMESTAMP, SNAPSHOT, TARGETS, RELEASES]) {
      for (const expires of [
        '2026-11-23T11:59:59Z',
        '2026-11-23T12:00:00Z',
        '2020-01-01T00:00:00.123456789Z',
      ]) {
        checkRefused(t, [
          {
            what: `${role} at ${expires}`,
            options: { delegations, expires: { [role]: expires } },
            code: 'METADATA_EXPIRED',
            message: new RegExp(`^${role}.json expired at ${expires}$`),
          },
        ]);
      }
      const lasting = buildRepository({ delegations, expires: { [role]: '2026-11-23T12:00:01Z' } });
      t.ok(verifyBuilt(lasting), `${role} that lasts another second`);
    }
  });
});
