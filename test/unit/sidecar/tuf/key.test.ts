import { constants, sign } from 'node:crypto';
import t from 'tap';
import { canonicalKeyId, keyId } from '../../../../src/sidecar/tuf/key.ts';
import { TARGETS } from '../../../../src/sidecar/tuf/metadata.ts';
import { makeCertificateKey } from '../../../support/trust/certificate.ts';
import { canonical, setAt, type DraftObject } from '../../../support/trust/draft.ts';
import { makeKey, relist, signText, type TestKey } from '../../../support/trust/key.ts';
import {
  buildRepository,
  entry,
  GUN,
  RELEASES,
  type RepositoryOptions,
} from '../../../support/trust/repository.ts';
import { acceptedRoles, failure, verifyBuilt } from '../support/trust/verification.ts';
import { VECTOR } from '../support/trust/vector.ts';

const A = 'a1'.repeat(32);

// Made once: RSA keys are slow to make.
const rsa = makeKey('rsa2048');
const smallRsa = makeKey('rsa1024');

t.test('key ids are those of the reference implementation', async (t) => {
  t.equal(keyId(VECTOR.publicKey), VECTOR.keyId);
  t.equal(
    keyId({ keytype: 'ecdsa', public: 'AQID' }),
    'fae6e0d100cf452a3b7d1344ddadc26b24da7a99940501058541bdd55bc58252',
  );
});

t.test('a good repository verifies', async (t) => {
  t.test('keys and signatures of every kind that Notary has', async (t) => {
    for (const key of [makeKey(), makeKey('p384'), makeKey('p521'), rsa, makeKey('ed25519')]) {
      const repository = buildRepository({
        keys: { targets: [key], snapshot: [key], timestamp: [key] },
        delegations: [{ name: RELEASES, keys: [key], targets: { v1: entry(A, 1) } }],
      });
      const verified = verifyBuilt(repository);
      t.same(acceptedRoles(verified), [TARGETS, RELEASES], key.keytype);
    }
    for (const key of [makeKey('p384'), rsa]) {
      const certificate = makeCertificateKey({ commonName: GUN, key });
      const repository = buildRepository({
        keys: { root: [certificate] },
        delegations: [{ name: RELEASES, keys: [certificate], targets: {} }],
      });
      t.same(verifyBuilt(repository).rootKeyIds, [certificate.id]);
      t.equal(canonicalKeyId(certificate), key.id, 'a certificate has the id of its key');
    }
  });

  t.test('RSA with the older padding that readers take', async (t) => {
    const resign = (file: DraftObject) => {
      const sig = sign('sha256', Buffer.from(canonical(file['signed'] ?? null)), rsa.privateKey);
      setAt(file, 'signatures.0', {
        keyid: rsa.id,
        method: 'rsapkcs1v15',
        sig: sig.toString('base64'),
      });
    };
    t.ok(verifyBuilt(buildRepository({ keys: { targets: [rsa] }, editFile: { targets: resign } })));
  });
});

t.test('a bad repository is refused', async (t) => {
  const key = makeKey();

  t.test('signatures in a form that Notary does not write', async (t) => {
    const withSignature = (
      key: TestKey,
      make: (message: Buffer) => Buffer,
      method: string = key.method,
    ) => ({
      keys: { targets: [key] },
      editFile: {
        targets: (file: DraftObject) => {
          const sig = make(Buffer.from(canonical(file['signed'] ?? null))).toString('base64');
          setAt(file, 'signatures.0', { keyid: key.id, method, sig });
        },
      },
    });
    const ed25519 = makeKey('ed25519');
    const pss =
      (saltLength: number, hash = 'sha256') =>
      (message: Buffer) =>
        sign(hash, message, {
          key: rsa.privateKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength,
        });
    const good = (key: TestKey) => (message: Buffer) => signText(message, key);
    const forms: Readonly<Record<string, RepositoryOptions>> = {
      'ECDSA in DER': withSignature(key, (message) => sign('sha256', message, key.privateKey)),
      'ECDSA over SHA-384': withSignature(key, (message) =>
        sign('sha384', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }),
      ),
      'ECDSA with a byte more': withSignature(key, (message) =>
        Buffer.concat([signText(message, key), Buffer.alloc(1)]),
      ),
      'ECDSA of nothing': withSignature(key, () => Buffer.alloc(0)),
      'ECDSA of zeros': withSignature(key, () => Buffer.alloc(64)),
      'ECDSA called ECDSA': withSignature(key, good(key), 'ECDSA'),
      'ECDSA called eddsa': withSignature(key, good(key), 'eddsa'),
      'Ed25519 called ecdsa': withSignature(ed25519, good(ed25519), 'ecdsa'),
      'PSS with the longest salt': withSignature(rsa, pss(constants.RSA_PSS_SALTLEN_MAX_SIGN)),
      'PSS without salt': withSignature(rsa, pss(0)),
      'PSS over SHA-512': withSignature(rsa, pss(32, 'sha512')),
      'PSS called ecdsa': withSignature(rsa, pss(32), 'ecdsa'),
      'PKCS #1 called PSS': withSignature(rsa, (message) =>
        sign('sha256', message, rsa.privateKey),
      ),
      'PKCS #1 over SHA-1': withSignature(
        rsa,
        (message) => sign('sha1', message, rsa.privateKey),
        'rsapkcs1v15',
      ),
      'RSA of 1024 bits': { keys: { targets: [smallRsa] } },
      'RSA of 1024 bits, PKCS #1': withSignature(
        smallRsa,
        (message) => sign('sha256', message, smallRsa.privateKey),
        'rsapkcs1v15',
      ),
      'a key type that nobody knows': withSignature(relist(key, 'dsa', key.public), good(key)),
      'a key that is not one': withSignature(relist(key, 'ecdsa', 'AQID'), good(key)),
      'a certificate called a bare key': withSignature(
        relist(key, 'ecdsa', makeCertificateKey({ commonName: 'x', key }).public),
        good(key),
      ),
    };
    for (const [what, options] of Object.entries(forms)) {
      const error = failure(() => verifyBuilt(buildRepository(options)));
      t.equal(error.code, 'METADATA_INVALID', what);
      t.match(error.message, /^targets.json has 0 valid signatures/, what);
    }
  });

  t.test('a threshold that one key meets by another spelling of itself', async (t) => {
    const ed25519 = makeKey('ed25519');
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      compressedPoint(key),
    ]);
    const spellings = [
      [
        ed25519,
        relist(ed25519, 'ed25519', ed25519.public.replace(/=+$/, '')),
        'base64 without padding',
      ],
      [key, relist(key, 'ecdsa', `${key.public} `), 'base64 with a space'],
      [key, relist(key, 'ecdsa', compressed.toString('base64')), 'a compressed point'],
      [rsa, relist(rsa, 'ecdsa', rsa.public), 'RSA called ecdsa'],
    ] as const;
    for (const [key, again, what] of spellings) {
      const repository = buildRepository({
        keys: { targets: [key, again] },
        thresholds: { targets: 2 },
      });
      t.throws(() => verifyBuilt(repository), { code: 'METADATA_INVALID' }, what);
    }
  });
});

/** The public point of an EC key, as one coordinate and the sign of the other. */
function compressedPoint(key: TestKey): Buffer {
  const point = Buffer.from(key.public, 'base64').subarray(-65);
  return Buffer.concat([Buffer.from([2 + ((point[64] ?? 0) & 1)]), point.subarray(1, 33)]);
}
