import t from 'tap';
import { canonicalKeyId, type KeyId } from '../../../../src/sidecar/tuf/key.ts';
import { ROOT, SNAPSHOT, TARGETS, TIMESTAMP } from '../../../../src/sidecar/tuf/metadata.ts';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { setAt, type DraftObject } from '../../../support/trust/draft.ts';
import { makeKey, type TestKey } from '../../../support/trust/key.ts';
import {
  buildRepository,
  entry,
  GUN,
  RELEASES,
  signFile,
} from '../../../support/trust/repository.ts';
import {
  acceptedRoles,
  checkRefused,
  failure,
  verifyBuilt,
  type Refusal,
} from '../support/trust/verification.ts';

const A = 'a1'.repeat(32);

t.test('a good repository verifies', async (t) => {
  t.test('a delegation to a certificate that says to be a CA, as openssl makes them', async (t) => {
    const key = makeCertificateKey({ commonName: 'alice', authority: true });
    const delegations = [{ name: RELEASES, keys: [key], targets: {} }];
    t.equal(acceptedRoles(verifyBuilt(buildRepository({ delegations }))).length, 2);
    t.equal(canonicalKeyId(key), key.canonicalId);
  });

  t.test('stray signatures, absent delegations, thresholds that are met', async (t) => {
    const keys = [makeKey(), makeKey(), makeKey()];
    const stranger = makeKey();
    const repository = buildRepository({
      keys: { targets: keys },
      thresholds: { targets: 2 },
      signers: { targets: [stranger, ...keys.slice(1)] },
      delegations: [
        { name: RELEASES, keys, threshold: 3, targets: {} },
        { name: 'targets/never', keys },
      ],
    });
    t.same(acceptedRoles(verifyBuilt(repository)), [TARGETS, RELEASES]);
    const withoutRelease = buildRepository({
      delegations: [{ name: RELEASES, keys, targets: {} }],
      serve: { [RELEASES]: () => undefined },
    });
    t.equal(
      failure(() => verifyBuilt(withoutRelease)).code,
      'METADATA_INCONSISTENT',
      'one that the snapshot lists and nobody has makes the whole unreadable',
    );
  });
});

t.test('a bad repository is refused', async (t) => {
  const key = makeKey();
  const other = makeKey();
  const rsa = makeKey('rsa2048');

  t.test('too few signatures, of every role', async (t) => {
    const releases = { name: RELEASES, keys: [key], targets: { v1: entry(A, 1) } };
    const otherRoot = makeCertificateKey({ commonName: GUN });
    for (const role of [ROOT, TIMESTAMP, SNAPSHOT, TARGETS, RELEASES]) {
      const delegations = [releases];
      const stranger = role === ROOT ? otherRoot : other;
      const code = 'METADATA_INVALID';
      const message = new RegExp(`^${role}.json has 0 valid signatures by its keys, and needs 1$`);
      const flipped = (file: DraftObject) => {
        const signatures = file['signatures'] as { sig: string }[];
        for (const signature of signatures) {
          const bytes = Buffer.from(signature.sig, 'base64');
          bytes[5] = (bytes[5] ?? 0) ^ 1;
          signature.sig = bytes.toString('base64');
        }
      };
      checkRefused(t, [
        {
          what: `${role} unsigned`,
          options: { delegations, signers: { [role]: [] } },
          code,
          message,
        },
        {
          what: `${role} signed by a stranger`,
          options: { delegations, signers: { [role]: [stranger] } },
          code,
          message,
        },
        {
          what: `${role} signed by a stranger under the id of the key`,
          options: {
            delegations,
            editFile: {
              [role]: (file) => {
                const [{ keyid } = { keyid: '' }] = file['signatures'] as { keyid: string }[];
                Object.assign(
                  file,
                  signFile(file['signed'] as DraftObject, [{ ...stranger, id: keyid as KeyId }]),
                );
                setAt(file, 'signatures.0.keyid', keyid);
              },
            },
          },
          code,
          message,
        },
        {
          what: `${role} with one bit of the signature changed`,
          options: { delegations, editFile: { [role]: flipped } },
          code,
          message,
        },
        {
          what: `${role} changed after it was signed`,
          options: {
            delegations,
            editFile: { [role]: (file) => setAt(file, 'signed.version', 7) },
          },
          code,
          message,
        },
      ]);
    }
    checkRefused(t, [
      {
        what: 'a delegation signed by the targets key',
        options: {
          keys: { targets: [other] },
          delegations: [releases],
          signers: { [RELEASES]: [other] },
        },
        code: 'METADATA_INVALID',
        message: /^targets\/releases.json has 0/,
      },
      {
        what: 'a good signature under the id of another key',
        options: { keys: { targets: [key] }, signers: { targets: [{ ...key, id: other.id }] } },
        code: 'METADATA_INVALID',
        message: /^targets.json has 0/,
      },
      {
        what: 'targets signed by the snapshot key',
        options: { keys: { snapshot: [other] }, signers: { targets: [other] } },
        code: 'METADATA_INVALID',
        message: /^targets.json has 0/,
      },
      {
        what: 'a timestamp signed by the root key',
        options: { keys: { root: [otherRoot] }, signers: { timestamp: [otherRoot] } },
        code: 'METADATA_INVALID',
        message: /^timestamp.json has 0/,
      },
    ]);
  });

  t.test('a threshold that one key meets by counting twice', async (t) => {
    const twice = (key: TestKey, again: TestKey): readonly Refusal[] => {
      const what = `${key.keytype} and ${again.keytype}`;
      const code = 'METADATA_INVALID';
      return [
        {
          what: `targets: ${what}`,
          options: { keys: { targets: [key, again] }, thresholds: { targets: 2 } },
          code,
          message: /^targets.json has 1 valid signatures by its keys, and needs 2$/,
        },
        {
          what: `a delegation: ${what}`,
          options: {
            delegations: [{ name: RELEASES, keys: [key, again], threshold: 2, targets: {} }],
          },
          code,
          message: /^targets\/releases.json has 1 valid/,
        },
      ];
    };
    const named = makeCertificateKey({ commonName: GUN, key });
    const namedAgain = makeCertificateKey({
      commonName: GUN,
      key,
      from: new Date('2026-01-01T00:00:00Z'),
    });
    checkRefused(t, [
      {
        what: 'one valid and one duplicate signature',
        options: {
          keys: { targets: [key, other] },
          thresholds: { targets: 2 },
          signers: { targets: [key, key] },
        },
        code: 'METADATA_INVALID',
        message: /^targets.json has 1 valid/,
      },
      ...twice(key, key),
      ...twice(key, named),
      ...twice(named, namedAgain),
      ...twice(rsa, makeCertificateKey({ commonName: GUN, key: rsa })),
      {
        what: 'root: two certificates over one key',
        options: { keys: { root: [named, namedAgain] }, thresholds: { root: 2 } },
        code: 'METADATA_INVALID',
        message: /^root.json has 1 valid/,
      },
      {
        what: 'a threshold above the number of keys',
        options: { thresholds: { timestamp: 2 } },
        code: 'METADATA_INVALID',
        message: /^timestamp.json has 1 valid/,
      },
    ]);
  });

  t.test('keys under the id of another', async (t) => {
    const swap = (path: string, from: TestKey, to: TestKey) => (signed: DraftObject) =>
      setAt(signed, `${path}.${from.id}`, {
        keytype: to.keytype,
        keyval: { private: null, public: to.public },
      });
    checkRefused(t, [
      {
        what: 'in root.json',
        options: {
          keys: { targets: [key] },
          edit: { root: swap('keys', key, other) },
          signers: { targets: [{ ...other, id: key.id }] },
        },
        code: 'METADATA_INVALID',
        message: new RegExp(`^root.json holds another key under id ${key.id}$`),
      },
      {
        what: 'in targets.json',
        options: {
          delegations: [{ name: RELEASES, keys: [key], targets: {} }],
          edit: { targets: swap('delegations.keys', key, other) },
          signers: { [RELEASES]: [{ ...other, id: key.id }] },
        },
        code: 'METADATA_INVALID',
        message: new RegExp(`^targets.json holds another key under id ${key.id}$`),
      },
      {
        what: 'in upper case',
        options: { keys: { targets: [{ ...key, id: key.id.toUpperCase() as KeyId }] } },
        code: 'METADATA_INVALID',
        message: /another key/,
      },
    ]);
  });
});
