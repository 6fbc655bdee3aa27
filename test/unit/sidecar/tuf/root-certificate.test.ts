import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { makeCertificate, makeCertificateKey } from '../../../support/trust/certificate.ts';
import { setAt, type DraftObject } from '../../../support/trust/draft.ts';
import { makeKey, relist } from '../../../support/trust/key.ts';
import { buildRepository, GUN, NOW } from '../../../support/trust/repository.ts';
import { checkRefused, failure, verifyBuilt } from '../support/trust/verification.ts';

// Made once: RSA keys are slow to make.
const rsa = makeKey('rsa2048');
const smallRsa = makeKey('rsa1024');
const DAY = 24 * 60 * 60 * 1000;
const dateAfter = (ms: number) => new Date(NOW.getTime() + ms);

t.test('a good repository verifies', async (t) => {
  t.test('root certificates in every form that the reference client takes', async (t) => {
    const authority = makeCertificate({ commonName: 'authority', authority: true });
    const certificates = {
      'a common name that ends in *': { commonName: 'registry.example.test/*' },
      'a common name of * alone': { commonName: '*' },
      'one that begins within a day': { commonName: GUN, from: dateAfter(DAY - 60_000) },
      'one that ends in a minute': { commonName: GUN, to: dateAfter(60_000) },
      'one followed by its CA': { commonName: GUN, chain: authority },
    };
    for (const [what, options] of Object.entries(certificates)) {
      const root = makeCertificateKey(options);
      t.same(verifyBuilt(buildRepository({ keys: { root: [root] } })).rootKeyIds, [root.id], what);
    }
  });

  t.test('pins: the id that root.json lists, or that of the bare key; one is enough', async (t) => {
    const root = makeCertificateKey({ commonName: GUN });
    const repository = buildRepository({ keys: { root: [root] } });
    t.not(root.id, root.canonicalId);
    for (const pins of [[root.id], [root.canonicalId], ['0'.repeat(64), root.id]]) {
      t.same(verifyBuilt(repository, { rootPins: pins }).rootKeyIds, [root.id]);
    }
  });

  t.test('a root that was rotated, signed by the old key and the new', async (t) => {
    const [old, fresh] = [
      makeCertificateKey({ commonName: GUN }),
      makeCertificateKey({ commonName: GUN }),
    ];
    const keepOld = (signed: DraftObject) =>
      setAt(signed, `keys.${old.id}`, {
        keytype: old.keytype,
        keyval: { private: null, public: old.public },
      });
    const rotated = buildRepository({
      keys: { root: [fresh] },
      edit: { root: keepOld },
      signers: { root: [old, fresh] },
    });
    t.same(verifyBuilt(rotated).rootKeyIds, [fresh.id]);
    t.same(verifyBuilt(rotated, { rootPins: [fresh.id] }).rootKeyIds, [fresh.id]);
    t.equal(failure(() => verifyBuilt(rotated, { rootPins: [old.id] })).code, 'ROOT_PIN_MISMATCH');
    const byOldAlone = buildRepository({
      keys: { root: [fresh] },
      edit: { root: keepOld },
      signers: { root: [old] },
    });
    t.equal(failure(() => verifyBuilt(byOldAlone)).code, 'METADATA_INVALID');

    const both = buildRepository({ keys: { root: [old, fresh] } });
    t.same(verifyBuilt(both).rootKeyIds, [old.id, fresh.id]);
    t.same(verifyBuilt(both, { rootPins: [old.id] }).rootKeyIds, [old.id], 'those pinned alone');
  });
});

t.test('a bad repository is refused', async (t) => {
  const key = makeKey();
  const other = makeKey();
  const certified = (options: Partial<Parameters<typeof makeCertificateKey>[0]>) => ({
    keys: { root: [makeCertificateKey({ commonName: GUN, ...options })] },
  });

  t.test('root certificates that do not speak for the repository', async (t) => {
    const authority = makeCertificate({ commonName: GUN, authority: true });
    const second = makeCertificate({ commonName: GUN });
    const name = 'ROOT_NAME_MISMATCH';
    const broken = relist(key, 'ecdsa-x509', Buffer.from('no certificate').toString('base64'));
    checkRefused(t, [
      {
        what: 'another name',
        options: certified({ commonName: `${GUN}2` }),
        code: name,
        message: /app2$/,
      },
      {
        what: 'the beginning of the name',
        options: certified({ commonName: GUN.slice(0, -1) }),
        code: name,
        message: /team\/ap$/,
      },
      {
        what: 'a name in another case',
        options: certified({ commonName: GUN.toUpperCase() }),
        code: name,
        message: /REGISTRY/,
      },
      {
        what: 'a prefix of another',
        options: certified({ commonName: 'registry.example.test/other/*' }),
        code: name,
        message: /other\/\*$/,
      },
      {
        what: 'a star inside',
        options: certified({ commonName: 'registry.example.test/*/app' }),
        code: name,
        message: /\*\/app$/,
      },
      {
        what: 'a bare key',
        options: { keys: { root: [key] } },
        code: name,
        message: /no certificate$/,
      },
      {
        what: 'a CA alone',
        options: certified({ authority: true }),
        code: name,
        message: /no certificate$/,
      },
      {
        what: 'two leaves',
        options: certified({ chain: second }),
        code: name,
        message: /no certificate$/,
      },
      {
        what: 'text that is no certificate',
        options: { keys: { root: [broken] } },
        code: name,
        message: /no certificate$/,
      },
      {
        what: 'no root key',
        options: { keys: { root: [] } },
        code: name,
        message: /no root key at all$/,
      },
      {
        what: 'ended',
        options: certified({ to: dateAfter(-60_000) }),
        code: 'METADATA_EXPIRED',
        message: /root certificate of .* not valid at 2026-11-23T12:00/,
      },
      {
        what: 'begins in more than a day',
        options: certified({ from: dateAfter(DAY + 60_000) }),
        code: 'METADATA_EXPIRED',
        message: /root certificate/,
      },
      {
        what: 'SHA-1 over EC',
        options: certified({ digest: 'sha1' }),
        code: 'METADATA_INVALID',
        message: /SHA-1/,
      },
      {
        what: 'SHA-1 over RSA',
        options: certified({ key: rsa, digest: 'sha1' }),
        code: 'METADATA_INVALID',
        message: /SHA-1/,
      },
      {
        what: 'RSA of 1024 bits',
        options: certified({ key: smallRsa }),
        code: 'METADATA_INVALID',
        message: /under 2048 bits/,
      },
      {
        what: 'a CA and a leaf of another name',
        options: certified({ commonName: 'other', chain: authority }),
        code: name,
        message: /other$/,
      },
    ]);
  });

  t.test('root keys that are not pinned', async (t) => {
    const [a, b] = [
      makeCertificateKey({ commonName: GUN }),
      makeCertificateKey({ commonName: GUN }),
    ];
    const elsewhere = makeCertificateKey({ commonName: 'elsewhere' });
    checkRefused(t, [
      {
        what: 'another id',
        options: { keys: { root: [a] } },
        expected: { rootPins: [b.id, b.canonicalId] },
        code: 'ROOT_PIN_MISMATCH',
        message: new RegExp(`${a.id}; pinned: ${b.id}, ${b.canonicalId}$`),
      },
      {
        what: 'the key of another role',
        options: { keys: { root: [a], targets: [key] } },
        expected: { rootPins: [key.id] },
        code: 'ROOT_PIN_MISMATCH',
        message: /pinned/,
      },
      {
        what: 'pinned, and of another name',
        options: { keys: { root: [elsewhere] } },
        expected: { rootPins: [elsewhere.id] },
        code: 'ROOT_NAME_MISMATCH',
        message: /elsewhere$/,
      },
      {
        what: 'pinned, and did not sign',
        options: { keys: { root: [a, b] }, signers: { root: [b] } },
        expected: { rootPins: [a.id] },
        code: 'METADATA_INVALID',
        message: /^root.json has 0 valid signatures by its keys, and needs 1$/,
      },
      {
        what: 'one pinned key where two must sign',
        options: { keys: { root: [a, b] }, thresholds: { root: 2 } },
        expected: { rootPins: [a.id] },
        code: 'METADATA_INVALID',
        message: /^root.json has 1 valid/,
      },
    ]);
  });

  t.test('a certificate that bears the name beside another whose key signs', async (t) => {
    const leaf = makeCertificate({ commonName: GUN, key: other });
    const root = makeCertificateKey({ commonName: 'x', key, authority: true, chain: leaf });
    t.throws(() => verifyBuilt(buildRepository({ keys: { root: [root] } })), SigningError);
  });

  t.test('root certificates that do not count beside one that does', async (t) => {
    const good = makeCertificateKey({ commonName: GUN });
    const others = {
      'of another name': makeCertificateKey({ commonName: 'other' }),
      'that has ended': makeCertificateKey({ commonName: GUN, to: dateAfter(-60_000) }),
      'over SHA-1': makeCertificateKey({ commonName: GUN, digest: 'sha1' }),
      'over a short key': makeCertificateKey({ commonName: GUN, key: smallRsa }),
      'that is a bare key': key,
    };
    for (const [what, bad] of Object.entries(others)) {
      const keys = { root: [bad, good] };
      t.same(verifyBuilt(buildRepository({ keys })).rootKeyIds, [good.id], what);
      const byBadAlone = buildRepository({ keys, signers: { root: [bad] } });
      t.throws(() => verifyBuilt(byBadAlone), { message: /^root.json has 0 valid/ }, what);
      const byBoth = buildRepository({ keys, thresholds: { root: 2 } });
      t.throws(() => verifyBuilt(byBoth), { message: /^root.json has 1 valid/ }, what);
    }
  });

  t.test('a name of another repository wins over everything else that is wrong', async (t) => {
    const repository = buildRepository({
      gun: 'other',
      signers: { root: [] },
      expires: { root: '2020-01-01T00:00:00Z' },
    });
    t.equal(failure(() => verifyBuilt(repository, { gun: GUN })).code, 'ROOT_NAME_MISMATCH');
  });
});
