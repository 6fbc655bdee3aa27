import assert from 'node:assert/strict';
import { constants, createHash, createPrivateKey, sign } from 'node:crypto';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Gun } from '../../src/shared/image-reference.ts';
import { SigningError } from '../../src/shared/signing-error.ts';
import { canonicalJson, wireForm, type Json } from '../../src/shared/tuf/canonical-json.ts';
import { emitFile, emitTargets, formatExpires } from '../../src/shared/tuf/emit.ts';
import {
  canonicalKeyId,
  keyId,
  verifySignature,
  type KeyId,
  type PublicKey,
} from '../../src/shared/tuf/key.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type MetadataFile,
  type RoleName,
  type Targets,
} from '../../src/shared/tuf/metadata.ts';
import {
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from '../../src/shared/tuf/parse.ts';
import {
  editRoles,
  names,
  signEdits,
  type Publication,
  type SigningKey,
  type Target,
} from '../../src/shared/tuf/publication.ts';
import { chooseRoles, type ChosenRole } from '../../src/shared/tuf/role-choice.ts';
import { verifyRepository, type TrustRepository } from '../../src/shared/tuf/verify.ts';
import { fixture } from '../fixture.ts';
import {
  asSigningKey,
  buildRepository,
  canonical,
  entry,
  fileMeta,
  GUN,
  makeCertificate,
  makeCertificateKey,
  makeKey,
  NOW,
  relist,
  setAt,
  signFile,
  signText,
  type BuiltRepository,
  type Draft,
  type DraftObject,
  type RepositoryOptions,
  type TestKey,
} from '../trust-repository.ts';

const RELEASES = 'targets/releases' as RoleName;
const A = 'a1'.repeat(32);
const B = 'b2'.repeat(32);

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex');

// Made once: RSA keys are slow to make.
const rsa = makeKey('rsa2048');
const smallRsa = makeKey('rsa1024');

const verifyBuilt = (
  repository: BuiltRepository,
  expected: { gun?: string; rootPins?: readonly string[]; now?: Date } = {},
) =>
  verifyRepository(repository.files, {
    gun: (expected.gun ?? repository.gun) as Gun,
    rootPins: expected.rootPins ?? [],
    now: expected.now ?? NOW,
  });

/** The error of what must fail. */
function failure(action: () => unknown): SigningError {
  try {
    action();
  } catch (error) {
    if (error instanceof SigningError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Text without control characters, which canonical JSON cannot carry. */
const text = fc
  .string({ unit: 'binary', maxLength: 12 })
  .map((text) => text.replace(/\p{Cc}/gu, '&'));
const json = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    text,
    fc.constantFrom('<&>', '\u2028"\\', '\u{10000}', '\uff21'),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(text, tie('json'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).json;

t.test('canonical JSON', (t) => {
  const text =
    '{"_type":"Targets","delegations":{"keys":{},"roles":[]},"expires":"2030-01-02T03:04:05Z",' +
    '"targets":{"a&b":{"hashes":{"sha256":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},' +
    '"length":7}},"version":1}';
  const wire = fixture('notary/vector-ed25519.json');
  const id = 'b9fe8d4b54e73abb584e2015aaa447047e53282f491dcc70c40d2474d3096a21';
  const publicKey = {
    keytype: 'ed25519',
    public: 'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=',
  };
  const signature =
    'lI+vhXYTnjbp+o4NBodxj8Z4d7rTtH0U+/fOj5qoTIUwC95LHUrrK4AhCazbvFpOQht63lY6pC5/zl9ND6YfCw==';

  t.test('the signed vector comes out byte for byte', (t) => {
    const file = parseTargets(TARGETS, wire);
    t.equal(file.signedText, text);
    t.equal(emitTargets(file.content), text);
    t.equal(
      sha256(file.signedText),
      '9f8475e540f82fef03b4a5210626f490016f389bed2417e1e473c87693b1e860',
    );
    t.equal(wire.length, 421);
    t.equal(sha256(wire), '3070ff567b1d5af635a06dbc86083d4efdbb34722506b0239d85376923d4a521');
    const emitted = emitFile(text, [{ keyId: id, method: 'eddsa', sig: signature }]);
    t.equal(emitted.length, 421);
    t.ok(wire.equals(emitted));
    t.ok(verifySignature(publicKey, 'eddsa', Buffer.from(text), Buffer.from(signature, 'base64')));
    const seed = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
    const key = createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
      format: 'der',
      type: 'pkcs8',
    });
    t.equal(sign(null, Buffer.from(text), key).toString('base64'), signature);
    t.end();
  });

  t.test('key ids are those of the reference implementation', (t) => {
    t.equal(keyId(publicKey), id);
    t.equal(
      keyId({ keytype: 'ecdsa', public: 'AQID' }),
      'fae6e0d100cf452a3b7d1344ddadc26b24da7a99940501058541bdd55bc58252',
    );
    t.end();
  });

  t.test('every value has one form', (t) => {
    const cases: readonly (readonly [value: Json, text: string, what: string])[] = [
      [null, 'null', 'null'],
      [[true, false], '[true,false]', 'booleans'],
      [-0, '0', 'minus zero'],
      [-17, '-17', 'a negative number'],
      [Number.MAX_SAFE_INTEGER, '9007199254740991', 'the largest safe integer'],
      [JSON.parse('1e3') as Json, '1000', 'an exponent'],
      [JSON.parse('1.0') as Json, '1', 'a fraction of nothing'],
      [{}, '{}', 'an empty object'],
      [[], '[]', 'an empty list'],
      [
        { b: 1, a: { d: [{ z: 1, y: 2 }], c: 3 } },
        '{"a":{"c":3,"d":[{"y":2,"z":1}]},"b":1}',
        'keys, at every depth',
      ],
      [
        { a: 1, A: 2, '10': 3, '9': 4, '': 5 },
        '{"":5,"10":3,"9":4,"A":2,"a":1}',
        'keys by bytes, numbers among them',
      ],
      [{ '\u{10000}': 1, '\uff21': 2 }, '{"\uff21":2,"\u{10000}":1}', 'an astral key after U+FF21'],
      [{ aa: 1, a: 2, ab: 3 }, '{"a":2,"aa":1,"ab":3}', 'a key after its own beginning'],
      ['"\\/', '"\\"\\\\/"', 'quote and backslash alone escaped'],
      ['<>&\u2028\u2029\u007f', '"<>&\u2028\u2029\u007f"', 'raw what the wire form escapes'],
      ['\u0001\n\t', '"\u0001\n\t"', 'control characters raw'],
      ['a\ud800b', '"a\ufffdb"', 'a lone surrogate replaced'],
      [{ '\udc00': 1 }, '{"\ufffd":1}', 'a lone surrogate in a key replaced'],
      [
        JSON.parse('{"__proto__":{"b":1,"a":2}}') as Json,
        '{"__proto__":{"a":2,"b":1}}',
        'a member named __proto__',
      ],
    ];
    for (const [value, text, what] of cases) t.equal(canonicalJson(value), text, what);
    t.end();
  });

  t.test('numbers that have no exact form are refused', (t) => {
    for (const number of [
      '0.5',
      '-1.25',
      '9007199254740993',
      '9007199254740992',
      '-9007199254740993',
      '1e300',
    ]) {
      const value = { deep: [JSON.parse(number) as Json] };
      t.throws(() => canonicalJson(value), { name: 'NotCanonicalError' }, number);
    }
    t.end();
  });

  t.test('the wire form escapes the five characters of Go, in lower case', (t) => {
    t.equal(wireForm('<a>&\u2028\u2029'), '\\u003ca\\u003e\\u0026\\u2028\\u2029');
    t.equal(wireForm('"é\u{1f600}\u007f\u2027\u202a\''), '"é\u{1f600}\u007f\u2027\u202a\'');
    const bytes = emitFile('{"a<b":"\u2028"}', [{ keyId: 'k&', method: 'm', sig: '>' }]);
    t.equal(
      Buffer.from(bytes).toString(),
      '{"signed":{"a\\u003cb":"\\u2028"},"signatures":[{"keyid":"k\\u0026","method":"m","sig":"\\u003e"}]}',
    );
    t.end();
  });

  t.test('the form is stable under parsing', (t) => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value);
        assert.equal(canonicalJson(JSON.parse(text) as Json), text);
      }),
    );
    t.end();
  });

  t.test('expiry is in whole seconds', (t) => {
    t.equal(formatExpires(new Date('2029-11-21T10:12:03.999Z')), '2029-11-21T10:12:03Z');
    t.equal(formatExpires(new Date('2029-11-21T10:12:03.000Z')), '2029-11-21T10:12:03Z');
    const time = fc.date({
      min: new Date('1970-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(time, (time) => {
        const text = formatExpires(time);
        assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        assert.equal(Date.parse(text), Math.floor(time.getTime() / 1000) * 1000);
      }),
    );
    t.end();
  });
  t.end();
});

t.test('a repository that the reference client made', (t) => {
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
    return parseTargets(role as RoleName, bytes);
  };

  t.test('it verifies, pinned or not', (t) => {
    const rootId = '0574f7416e605908f3ca6cffdeb13d9edf3aa66c2d42f6f14993212960755e83';
    for (const rootPins of [[], [rootId]]) {
      const repository = verifyRepository(files, { gun, rootPins, now });
      t.same(repository.rootKeyIds, [rootId]);
      t.same([...repository.targets.keys()].sort(), roles.slice(3));
      t.equal(repository.gun, gun);
      const key = repository.root.content.keys.get(rootId as KeyId);
      t.not(key && canonicalKeyId(key), rootId);
      const canonicalPin = (key && canonicalKeyId(key)) ?? '';
      t.same(verifyRepository(files, { gun, rootPins: [canonicalPin], now }).rootKeyIds, [rootId]);
    }
    t.end();
  });

  t.test('every file comes out byte for byte', (t) => {
    for (const [role, bytes] of files) {
      const file = parse(role, bytes);
      t.same(file.unknownMembers, [], role);
      t.ok(bytes.equals(emitFile(file.signedText, file.signatures)), role);
    }
    for (const role of roles.slice(3)) {
      const { content, signedText } = parseTargets(
        role as RoleName,
        files.get(role as RoleName) ?? Buffer.alloc(0),
      );
      t.equal(emitTargets(content), signedText, role);
    }
    t.end();
  });

  t.test('the hashes are those that snapshot and timestamp name', (t) => {
    const bytes = (role: RoleName) => files.get(role) ?? Buffer.alloc(0);
    const { meta } = parseSnapshot(SNAPSHOT, bytes(SNAPSHOT)).content;
    t.equal(meta.size, 4);
    const { snapshot } = parseTimestamp(TIMESTAMP, bytes(TIMESTAMP)).content;
    for (const [role, { length, hashes }] of [...meta, [SNAPSHOT, snapshot] as const]) {
      t.same({ length, hashes: Object.fromEntries(hashes) }, fileMeta(bytes(role)), role);
    }
    t.end();
  });

  t.test('signing it again keeps what others signed', (t) => {
    const repository = verifyRepository(files, { gun, rootPins: [], now });
    const held = ['ed2f2f8e58895b651f23d1b4619b885d15584acd46465a8d183fb2cc7db09d10' as KeyId];
    const chosen = chooseRoles(repository.root.content, targetsOf(repository), ['v2'], held);
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
    t.end();
  });

  t.test('another name, another pin and another time are refused', (t) => {
    const verify = (expected: { gun?: string; rootPins?: string[]; now?: Date }) =>
      failure(() =>
        verifyRepository(files, {
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
    t.end();
  });
  t.end();
});

function roleFile(repository: TrustRepository, role: RoleName): MetadataFile<Targets> {
  const file = repository.targets.get(role);
  if (!file) throw new Error(`${role} was not loaded`);
  return file;
}

function targetsOf(repository: TrustRepository): Targets {
  return roleFile(repository, TARGETS).content;
}

t.test('a good repository verifies', (t) => {
  t.test('keys and signatures of every kind that Notary has', (t) => {
    for (const key of [makeKey(), makeKey('p384'), makeKey('p521'), rsa, makeKey('ed25519')]) {
      const repository = buildRepository({
        keys: { targets: [key], snapshot: [key], timestamp: [key] },
        delegations: [{ name: RELEASES, keys: [key], targets: { v1: entry(A, 1) } }],
      });
      const verified = verifyBuilt(repository);
      t.same([...verified.targets.keys()], [TARGETS, RELEASES], key.keytype);
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
    t.end();
  });

  t.test('RSA with the older padding that readers take', (t) => {
    const resign = (file: DraftObject) => {
      const sig = sign('sha256', Buffer.from(canonical(file['signed'] ?? null)), rsa.privateKey);
      setAt(file, 'signatures.0', {
        keyid: rsa.id,
        method: 'rsapkcs1v15',
        sig: sig.toString('base64'),
      });
    };
    t.ok(verifyBuilt(buildRepository({ keys: { targets: [rsa] }, editFile: { targets: resign } })));
    t.end();
  });

  t.test('root certificates in every form that the reference client takes', (t) => {
    const day = 24 * 60 * 60 * 1000;
    const after = (ms: number) => new Date(NOW.getTime() + ms);
    const authority = makeCertificate({ commonName: 'authority', authority: true });
    const certificates = {
      'a common name that ends in *': { commonName: 'registry.example.test/*' },
      'a common name of * alone': { commonName: '*' },
      'one that begins within a day': { commonName: GUN, from: after(day - 60_000) },
      'one that ends in a minute': { commonName: GUN, to: after(60_000) },
      'one followed by its authority': { commonName: GUN, chain: authority },
    };
    for (const [what, options] of Object.entries(certificates)) {
      const root = makeCertificateKey(options);
      t.same(verifyBuilt(buildRepository({ keys: { root: [root] } })).rootKeyIds, [root.id], what);
    }
    t.end();
  });

  t.test('pins: the id that root.json lists, or that of the bare key; one is enough', (t) => {
    const root = makeCertificateKey({ commonName: GUN });
    const repository = buildRepository({ keys: { root: [root] } });
    t.not(root.id, root.canonicalId);
    for (const pins of [[root.id], [root.canonicalId], ['0'.repeat(64), root.id]]) {
      t.same(verifyBuilt(repository, { rootPins: pins }).rootKeyIds, [root.id]);
    }
    t.end();
  });

  t.test('a root that was rotated, signed by the old key and the new', (t) => {
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
    t.end();
  });

  t.test(
    'a delegation to a certificate that says to be an authority, as openssl makes them',
    (t) => {
      const key = makeCertificateKey({ commonName: 'alice', authority: true });
      const delegations = [{ name: RELEASES, keys: [key], targets: {} }];
      t.equal(verifyBuilt(buildRepository({ delegations })).targets.size, 2);
      t.equal(canonicalKeyId(key), key.canonicalId);
      t.end();
    },
  );

  t.test('stray signatures, absent delegations, thresholds that are met', (t) => {
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
    t.same([...verifyBuilt(repository).targets.keys()], [TARGETS, RELEASES]);
    const withoutRelease = buildRepository({
      delegations: [{ name: RELEASES, keys, targets: {} }],
      serve: { [RELEASES]: () => undefined },
    });
    t.same(
      [...verifyBuilt(withoutRelease).targets.keys()],
      [TARGETS],
      'none that nobody asked for',
    );
    t.end();
  });
  t.end();
});

/** What must be refused: what it is, how it is made, the code, and what the message says. */
interface Refusal {
  readonly what: string;
  readonly options?: RepositoryOptions;
  readonly expected?: {
    readonly gun?: string;
    readonly rootPins?: readonly string[];
    readonly now?: Date;
  };
  readonly code: string;
  readonly message: RegExp;
}

t.test('a bad repository is refused', (t) => {
  const check = (t: Test, refusals: readonly Refusal[]) => {
    for (const { what, options, expected, code, message } of refusals) {
      const error = failure(() => verifyBuilt(buildRepository(options), expected));
      t.equal(error.code, code, what);
      t.match(error.message, message, what);
    }
  };
  const key = makeKey();
  const other = makeKey();
  const day = 24 * 60 * 60 * 1000;
  const after = (ms: number) => new Date(NOW.getTime() + ms);
  const certified = (options: Partial<Parameters<typeof makeCertificateKey>[0]>) => ({
    keys: { root: [makeCertificateKey({ commonName: GUN, ...options })] },
  });

  t.test('root certificates that do not speak for the repository', (t) => {
    const authority = makeCertificate({ commonName: GUN, authority: true });
    const second = makeCertificate({ commonName: GUN });
    const name = 'ROOT_NAME_MISMATCH';
    const broken = relist(key, 'ecdsa-x509', Buffer.from('no certificate').toString('base64'));
    check(t, [
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
        what: 'an authority alone',
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
        options: certified({ to: after(-60_000) }),
        code: 'METADATA_EXPIRED',
        message: /root certificate of .* not valid at 2026-11-23T12:00/,
      },
      {
        what: 'begins in more than a day',
        options: certified({ from: after(day + 60_000) }),
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
        what: 'an authority and a leaf of another name',
        options: certified({ commonName: 'other', chain: authority }),
        code: name,
        message: /other$/,
      },
    ]);
    t.end();
  });

  t.test('root keys that are not pinned', (t) => {
    const [a, b] = [
      makeCertificateKey({ commonName: GUN }),
      makeCertificateKey({ commonName: GUN }),
    ];
    const elsewhere = makeCertificateKey({ commonName: 'elsewhere' });
    check(t, [
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
    t.end();
  });

  t.test('a certificate that bears the name beside another whose key signs', (t) => {
    const leaf = makeCertificate({ commonName: GUN, key: other });
    const root = makeCertificateKey({ commonName: 'x', key, authority: true, chain: leaf });
    t.throws(() => verifyBuilt(buildRepository({ keys: { root: [root] } })), SigningError);
    t.end();
  });

  t.test('root certificates that do not count beside one that does', (t) => {
    const good = makeCertificateKey({ commonName: GUN });
    const others = {
      'of another name': makeCertificateKey({ commonName: 'other' }),
      'that has ended': makeCertificateKey({ commonName: GUN, to: after(-60_000) }),
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
    t.end();
  });

  t.test('too few signatures, of every role', (t) => {
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
      check(t, [
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
    check(t, [
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
    t.end();
  });

  t.test('signatures in a form that Notary does not write', (t) => {
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
    t.end();
  });

  t.test('a threshold that one key meets by counting twice', (t) => {
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
    check(t, [
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
    t.end();
  });

  t.test('a threshold that one key meets by another spelling of itself', (t) => {
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
    t.end();
  });

  t.test('keys under the id of another', (t) => {
    const swap = (path: string, from: TestKey, to: TestKey) => (signed: DraftObject) =>
      setAt(signed, `${path}.${from.id}`, {
        keytype: to.keytype,
        keyval: { private: null, public: to.public },
      });
    check(t, [
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
    t.end();
  });

  t.test('files that do not belong together', (t) => {
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
      check(t, [
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
        ...(role === SNAPSHOT
          ? []
          : [
              {
                what: `${role} not listed`,
                options: inParent()(undefined),
                code,
                message: new RegExp(`^snapshot.json does not list ${role}$`),
              },
            ]),
        ...(role === RELEASES
          ? []
          : [
              {
                what: `${role} missing`,
                options: { ...base, serve: { [role]: () => undefined } },
                code,
                message: new RegExp(`^${role}.json is missing$`),
              },
            ]),
      ]);
      const swapped = new Map([
        ...(first?.files ?? []),
        [role, second?.files.get(role) ?? Buffer.alloc(0)],
      ]);
      t.throws(
        () => verifyRepository(swapped, { gun: GUN as Gun, rootPins: [], now: NOW }),
        SigningError,
        `${role} of another time`,
      );
    }
    check(t, [
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
      const error = failure(() =>
        verifyRepository(mixed, { gun: GUN as Gun, rootPins: [], now: NOW }),
      );
      t.equal(error.code, code, `an older ${role} by the same keys`);
    }
    t.end();
  });

  t.test('files that have expired', (t) => {
    const delegations = [{ name: RELEASES, keys: [key], targets: {} }];
    for (const role of [ROOT, TIMESTAMP, SNAPSHOT, TARGETS, RELEASES]) {
      for (const expires of [
        '2026-11-23T11:59:59Z',
        '2026-11-23T12:00:00Z',
        '2020-01-01T00:00:00.123456789Z',
      ]) {
        check(t, [
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
    t.end();
  });

  t.test('a name of another repository wins over everything else that is wrong', (t) => {
    const repository = buildRepository({
      gun: 'other',
      signers: { root: [] },
      expires: { root: '2020-01-01T00:00:00Z' },
    });
    t.equal(failure(() => verifyBuilt(repository, { gun: GUN })).code, 'ROOT_NAME_MISMATCH');
    t.end();
  });

  t.test('malformed files, with the place', (t) => {
    const keyed = `delegations.keys.${key.id}`;
    const table: readonly (readonly [
      role: string,
      path: string,
      value: Draft | undefined,
      message: RegExp,
    ])[] = [
      ['root', '_type', 'Targets', /root.json: signed._type is not "Root"/],
      ['root', 'version', 0, /root.json: signed.version is not an integer of at least 1/],
      ['root', 'version', '1', /signed.version/],
      ['root', 'version', 1.5, /signed.version/],
      ['root', 'version', undefined, /signed.version/],
      ['root', 'version', 2 ** 53, /signed.version/],
      ['root', 'expires', 'tomorrow', /signed.expires is not an RFC 3339 time/],
      ['root', 'expires', '2030', /signed.expires/],
      ['root', 'expires', '2030-13-45T00:00:00Z', /signed.expires/],
      ['root', 'expires', 1, /signed.expires is not a string/],
      ['root', 'keys', [], /signed.keys is not an object/],
      ['root', 'keys.abc', null, /signed.keys.abc is not an object/],
      [
        'root',
        'keys.abc',
        { keyval: { private: null, public: '' } },
        /signed.keys.abc.keytype is not a string/,
      ],
      ['root', 'keys.abc', { keytype: 'rsa' }, /signed.keys.abc.keyval is not an object/],
      [
        'root',
        'keys.abc',
        { keytype: 'rsa', keyval: { private: null, public: 5 } },
        /keyval.public is not a string/,
      ],
      ['root', 'roles', undefined, /signed.roles is not an object/],
      ['root', 'roles.root', 5, /signed.roles.root is not an object/],
      [
        'root',
        'roles.root.threshold',
        0,
        /signed.roles.root.threshold is not an integer of at least 1/,
      ],
      ['root', 'roles.targets.threshold', '1', /signed.roles.targets.threshold/],
      ['root', 'roles.root.keyids', {}, /signed.roles.root.keyids is not a list/],
      ['root', 'roles.root.keyids', [1], /signed.roles.root.keyids\[0\] is not a string/],
      ['root', 'roles.root', undefined, /root.json names no keys for root/],
      ['root', 'roles.timestamp', undefined, /root.json names no keys for timestamp/],
      ['root', 'roles.snapshot', undefined, /root.json names no keys for snapshot/],
      ['root', 'roles.targets', undefined, /root.json names no keys for targets/],
      ['timestamp', '_type', 'Snapshot', /timestamp.json: signed._type/],
      ['timestamp', 'meta', null, /signed.meta is not an object/],
      ['timestamp', 'meta.snapshot', undefined, /signed.meta.snapshot is not an object/],
      ['timestamp', 'meta.snapshot.hashes', [], /signed.meta.snapshot.hashes is not an object/],
      ['timestamp', 'meta.snapshot.hashes.sha256', 5, /hashes.sha256 is not a string/],
      ['timestamp', 'meta.snapshot.length', -1, /length is not an integer of at least 0/],
      ['snapshot', '_type', 'snapshot', /snapshot.json: signed._type/],
      ['snapshot', 'meta', [], /signed.meta is not an object/],
      ['snapshot', 'meta.root.length', null, /signed.meta\["root"\].length/],
      ['targets', '_type', undefined, /targets.json: signed._type/],
      ['targets', 'delegations', undefined, /signed.delegations is not an object/],
      ['targets', 'delegations.keys', null, /signed.delegations.keys is not an object/],
      ['targets', 'delegations.roles', {}, /signed.delegations.roles is not a list/],
      ['targets', `${keyed}.keyval`, [], /keyval is not an object/],
      ['targets', 'delegations.roles.0', 'x', /signed.delegations.roles\[0\] is not an object/],
      ['targets', 'delegations.roles.0.name', 5, /roles\[0\].name is not a string/],
      ['targets', 'delegations.roles.0.paths', 'v', /roles\[0\].paths is not a list/],
      ['targets', 'delegations.roles.0.paths', null, /roles\[0\].paths is not a list/],
      [
        'targets',
        'delegations.roles.0.paths',
        [''.concat('v'), 1],
        /roles\[0\].paths\[1\] is not a string/,
      ],
      ['targets', 'delegations.roles.0.threshold', undefined, /roles\[0\].threshold/],
      ['targets', 'delegations.roles.0.keyids', undefined, /roles\[0\].keyids is not a list/],
      ['targets', 'targets', [], /signed.targets is not an object/],
      ['targets', 'targets.v1', 5, /signed.targets\["v1"\] is not an object/],
      ['targets', 'targets.v1.hashes', null, /signed.targets\["v1"\].hashes is not an object/],
      ['targets', 'targets.v1.length', 1.5, /signed.targets\["v1"\].length/],
      [
        'targets',
        'targets.v1.custom',
        { ratio: 0.5 },
        /targets.json: 0.5 is not an integer that canonical JSON can hold/,
      ],
      ['targets', 'targets.v1.custom', 2 ** 60, /is not an integer that canonical JSON can hold/],
      [
        'targets/releases',
        '_type',
        'Releases',
        /targets\/releases.json: signed._type is not "Targets"/,
      ],
    ];
    const options = {
      targets: { v1: entry(A, 1) },
      delegations: [{ name: RELEASES, keys: [key], targets: {} }],
    };
    for (const [role, path, value, message] of table) {
      const edit = { [role]: (signed: DraftObject) => setAt(signed, path, value) };
      const error = failure(() => verifyBuilt(buildRepository({ ...options, edit })));
      t.equal(error.code, 'METADATA_INVALID', `${role} ${path}`);
      t.match(error.message, message, `${role} ${path}`);
    }
    const envelopes: readonly (readonly [
      path: string,
      value: Draft | undefined,
      message: RegExp,
    ])[] = [
      ['signed', undefined, /signed is not an object/],
      ['signed', [], /signed is not an object/],
      ['signed', 'text', /signed is not an object/],
      ['signatures', undefined, /signatures is not a list/],
      ['signatures', {}, /signatures is not a list/],
      ['signatures.0', 'x', /signatures\[0\] is not an object/],
      ['signatures.0.keyid', undefined, /signatures\[0\].keyid is not a string/],
      ['signatures.0.method', null, /signatures\[0\].method is not a string/],
      ['signatures.0.sig', 5, /signatures\[0\].sig is not a string/],
    ];
    for (const role of ['root', 'timestamp', 'snapshot', 'targets', 'targets/releases']) {
      for (const [path, value, message] of envelopes) {
        const editFile = { [role]: (file: DraftObject) => setAt(file, path, value) };
        const error = failure(() => verifyBuilt(buildRepository({ ...options, editFile })));
        t.equal(error.code, 'METADATA_INVALID', `${role} ${path}`);
        t.match(error.message, message, `${role} ${path}`);
        t.ok(error.message.startsWith(`${role}.json: `), `${role} ${path}`);
      }
      const texts = ['', '<html>', '{"signed":', 'null', '[]', '"a"', '7', '\ufeff', '{"a":"\n"}'];
      for (const content of [
        ...texts.map((text) => Buffer.from(text)),
        Buffer.from('7b22ff223a317d', 'hex'),
      ]) {
        const editBytes = { [role]: () => content };
        const error = failure(() => verifyBuilt(buildRepository({ ...options, editBytes })));
        t.equal(error.code, 'METADATA_INVALID', `${role} ${content.toString()}`);
        t.match(error.message, /^[a-z/]+.json(: \$ is not an object| is not JSON)$/);
      }
    }
    t.end();
  });
  t.end();
});

/** The public point of an EC key, as one coordinate and the sign of the other. */
function compressedPoint(key: TestKey): Buffer {
  const point = Buffer.from(key.public, 'base64').subarray(-65);
  return Buffer.concat([Buffer.from([2 + ((point[64] ?? 0) & 1)]), point.subarray(1, 33)]);
}

/** A repository whose releases we may sign, and the way to the bytes that would be published. */
function releaseRepository(
  options: RepositoryOptions & { key?: TestKey; entries?: DraftObject } = {},
) {
  const key = options.key ?? makeKey();
  const built = buildRepository({
    ...options,
    delegations: options.delegations ?? [
      { name: RELEASES, keys: [key], ...(options.entries && { targets: options.entries }) },
    ],
  });
  return { key, built, repository: verifyBuilt(built) };
}

function choose(repository: TrustRepository, tags: readonly string[], keys: readonly TestKey[]) {
  const held = keys.map(({ canonicalId }) => canonicalId);
  return chooseRoles(repository.root.content, targetsOf(repository), tags, held);
}

async function publish(
  repository: TrustRepository,
  targets: readonly Target[],
  keys: readonly TestKey[],
): Promise<Publication> {
  const roles = choose(
    repository,
    targets.map(({ tag }) => tag),
    keys,
  );
  return signEdits(editRoles(repository, roles, targets, NOW), keys.map(asSigningKey));
}

t.test('roles to sign', (t) => {
  const [mine, also, theirs] = [makeKey(), makeKey(), makeKey()];
  const certificate = makeCertificateKey({ commonName: 'me', key: mine });
  const chosenNames = (
    delegations: RepositoryOptions['delegations'],
    tags: readonly string[],
    keys = [mine],
    options: RepositoryOptions = {},
  ) => {
    const roles = choose(
      verifyBuilt(buildRepository({ ...options, delegations: delegations ?? [] })),
      tags,
      keys,
    );
    return roles.map(({ name, tags }) => `${name}: ${tags.join(' ')}`);
  };

  t.test('targets, where nothing is delegated', (t) => {
    const repository = verifyBuilt(buildRepository({ keys: { targets: [theirs, mine] } }));
    const [role, ...others] = choose(repository, ['v1', 'v2'], [mine]);
    t.same(role, {
      name: TARGETS,
      threshold: 1,
      keyIds: new Map([[mine.id, mine.id]]),
      tags: ['v1', 'v2'],
    });
    t.same(others, []);
    t.end();
  });

  t.test('else every direct delegation that lists our key and covers the tag', (t) => {
    const declare = (name: string, keys: readonly TestKey[], paths = ['']) => ({
      name: `targets/${name}`,
      keys,
      paths,
    });
    const cases: readonly (readonly [
      string,
      RepositoryOptions['delegations'],
      string[],
      string[],
    ])[] = [
      [
        'all of them',
        [declare('releases', [mine]), declare('alice', [mine])],
        ['v1'],
        ['targets/releases: v1', 'targets/alice: v1'],
      ],
      [
        'not those of others',
        [declare('releases', [mine]), declare('bob', [theirs])],
        ['v1'],
        ['targets/releases: v1'],
      ],
      ['among other keys', [declare('releases', [theirs, mine])], ['v1'], ['targets/releases: v1']],
      [
        'by a certificate over our key',
        [declare('releases', [certificate])],
        ['v1'],
        ['targets/releases: v1'],
      ],
      [
        'a prefix covers what begins with it',
        [declare('a', [mine], ['v1'])],
        ['v1', 'v1.2', 'v10'],
        ['targets/a: v1 v1.2 v10'],
      ],
      [
        'each tag by the roles that cover it',
        [declare('a', [mine], ['v1', 'x']), declare('b', [mine], ['v2', 'v'])],
        ['v1', 'v2', 'x'],
        ['targets/a: v1 x', 'targets/b: v1 v2'],
      ],
      [
        'not those that cover no tag',
        [declare('a', [mine]), declare('b', [mine], ['w'])],
        ['v1'],
        ['targets/a: v1'],
      ],
      [
        'not those without paths',
        [declare('a', [mine]), declare('b', [mine], [])],
        ['v1'],
        ['targets/a: v1'],
      ],
      [
        'not nested ones',
        [declare('a', [mine]), declare('a/b', [mine])],
        ['v1'],
        ['targets/a: v1'],
      ],
      [
        'not ones outside targets',
        [declare('a', [mine]), { name: 'other/b', keys: [mine] }],
        ['v1'],
        ['targets/a: v1'],
      ],
      ['no tag, no role', [declare('a', [mine])], [], []],
    ];
    for (const [what, delegations, tags, expected] of cases) {
      t.same(chosenNames(delegations, tags), expected, what);
    }
    t.end();
  });

  t.test('a role names the id under which it lists our key', (t) => {
    const repository = verifyBuilt(
      buildRepository({ delegations: [{ name: RELEASES, keys: [certificate] }] }),
    );
    const [role] = choose(repository, ['v1'], [mine]);
    t.same([...(role?.keyIds ?? [])], [[mine.id, certificate.id]]);
    t.not(certificate.id, mine.id);
    t.end();
  });

  t.test('a tag that no role lets us sign is an error that says what there is', (t) => {
    const delegations = [
      { name: RELEASES, keys: [certificate], paths: ['v', 'rc-'] },
      { name: 'targets/bob', keys: [theirs], threshold: 2 },
      { name: 'targets/none', keys: [mine], paths: [] },
      { name: 'targets/deep/er', keys: [mine] },
    ];
    const refusal = (
      tags: readonly string[],
      keys: readonly TestKey[],
      options: RepositoryOptions,
    ) => failure(() => choose(verifyBuilt(buildRepository(options)), tags, keys));
    const error = refusal(['v1', 'latest'], [mine, also], { delegations });
    t.equal(error.code, 'KEY_NOT_IN_ROLE');
    t.equal(
      error.message,
      `no role lets our keys (${mine.id}, ${also.id}) sign latest; ` +
        `targets/releases (threshold 1) lists ${mine.id} for tags that begin with v or rc-; ` +
        `targets/bob (threshold 2) lists ${theirs.id} for all tags; ` +
        `targets/none (threshold 1) lists ${mine.id} for no tags; ` +
        `targets/deep/er (threshold 1) lists ${mine.id} for all tags`,
    );
    const unheld = refusal(['a', 'b'], [also], { delegations });
    t.match(unheld.message, `no role lets our keys (${also.id}) sign a, b; `);
    const undelegated = refusal(['v1'], [mine], { keys: { targets: [theirs] } });
    t.equal(undelegated.code, 'KEY_NOT_IN_ROLE');
    t.equal(
      undelegated.message,
      `no role lets our keys (${mine.id}) sign v1; targets (threshold 1) lists ${theirs.id}`,
    );
    t.equal(
      refusal(['v1'], [mine], {
        keys: { targets: [mine] },
        delegations: [{ name: RELEASES, keys: [theirs] }],
      }).code,
      'KEY_NOT_IN_ROLE',
      'targets is not signed where something is delegated',
    );
    t.equal(
      refusal(['v1'], [mine], { delegations: [{ name: 'targets/a/b', keys: [mine] }] }).code,
      'KEY_NOT_IN_ROLE',
    );
    t.end();
  });

  t.test('a threshold needs as many of its keys', (t) => {
    const delegations = [{ name: RELEASES, keys: [mine, also, theirs], threshold: 2 }];
    const repository = verifyBuilt(buildRepository({ delegations }));
    const error = failure(() => choose(repository, ['v1'], [mine]));
    t.equal(error.code, 'ROLE_THRESHOLD');
    t.equal(error.message, 'targets/releases needs 2 signatures, and we hold 1 of its keys');
    t.equal(choose(repository, ['v1'], [mine, also])[0]?.keyIds.size, 2);
    const twice = verifyBuilt(
      buildRepository({
        delegations: [{ name: RELEASES, keys: [mine, certificate], threshold: 2 }],
      }),
    );
    t.equal(
      failure(() => choose(twice, ['v1'], [mine])).code,
      'ROLE_THRESHOLD',
      'one key under two ids',
    );
    t.end();
  });
  t.end();
});

t.test('publications', (t) => {
  const v1 = { tag: 'v1', sha256: A, length: 528 };
  const role = (publication: Publication, name: RoleName) => {
    const bytes = publication.get(name);
    if (!bytes) throw new Error(`${name} is not published`);
    return { bytes: Buffer.from(bytes), file: parseTargets(name, bytes) };
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
      const written = JSON.parse(emitTargets(content)) as { targets: DraftObject };
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
      const { content, signedText } = roleFile(verifyBuilt(delegated), TARGETS);
      t.equal(emitTargets(content), signedText, 'paths that are absent stay absent');
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
    t.same([...(after.targets.get(RELEASES)?.content.targets.keys() ?? [])], ['rc1', 'v1']);
    t.same(
      [...(after.targets.get('targets/rc' as RoleName)?.content.targets.keys() ?? [])],
      ['rc1'],
    );
    t.same(
      after.targets
        .get(RELEASES)
        ?.signatures.map(({ keyId }) => keyId)
        .sort(),
      [a.id, b.id].sort(),
    );
    t.equal(
      after.targets.get('targets/rc' as RoleName)?.signatures.length,
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
    t.equal(names(content, v1), true);
    t.equal(names(content, { ...v1, length: 5 }), false);
    t.equal(names(undefined, v1), false);
  });

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

  t.test('a role that is published and was not loaded is never started anew', (t) => {
    const { key, repository } = releaseRepository({
      entries: {},
      serve: { [RELEASES]: () => undefined },
    });
    const roles = choose(repository, ['v1'], [key]);
    t.equal(failure(() => editRoles(repository, roles, [v1], NOW)).code, 'INTERNAL');
    t.end();
  });

  t.test('a signature of our own that does not verify is not published', async (t) => {
    const { key, repository } = releaseRepository();
    const good = asSigningKey(key);
    const edits = editRoles(repository, choose(repository, ['v1'], [key]), [v1], NOW);
    const broken: readonly SigningKey[] = [
      {
        ...good,
        signer: { sign: (message) => Promise.resolve(sign('sha256', message, key.privateKey)) },
      },
      { ...good, signer: { sign: (message) => Promise.resolve(signText(message, makeKey())) } },
      { ...good, method: 'rsapss' },
    ];
    for (const key of broken) await t.rejects(signEdits(edits, [key]), { code: 'INTERNAL' });
  });

  t.test('what is emitted parses to the same, whatever the entries', (t) => {
    const base64 = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => Buffer.from(bytes).toString('base64'));
    const tag = fc.oneof(
      text,
      fc.constantFrom('__proto__', 'constructor', '10', '9', 'a&b<c>', '\u2028'),
    );
    const meta = fc.record(
      {
        length: fc.nat(),
        hashes: fc
          .dictionary(fc.constantFrom('sha256', 'sha512'), base64, { noNullPrototype: true })
          .map((hashes) => new Map(Object.entries(hashes))),
        custom: json.filter((value) => value !== null),
      },
      { requiredKeys: ['length', 'hashes'], noNullPrototype: true },
    );
    const publicKey: fc.Arbitrary<PublicKey> = fc.record(
      { keytype: text, public: base64 },
      { noNullPrototype: true },
    );
    const targets = fc.record(
      {
        expires: fc
          .date({ min: new Date(0), max: new Date('9999-01-01T00:00:00Z'), noInvalidDate: true })
          .map(formatExpires),
        version: fc.integer({ min: 1 }),
        delegations: fc.record(
          {
            keys: fc
              .array(publicKey, { maxLength: 3 })
              .map((keys) => new Map(keys.map((key) => [keyId(key), key]))),
            roles: fc.array(
              fc.record(
                {
                  name: text as fc.Arbitrary<RoleName>,
                  keyIds: fc.array(text as fc.Arbitrary<KeyId>, { maxLength: 2 }),
                  paths: fc.array(text, { maxLength: 2 }),
                  threshold: fc.integer({ min: 1 }),
                },
                { noNullPrototype: true },
              ),
              { maxLength: 3 },
            ),
          },
          { noNullPrototype: true },
        ),
        targets: fc.array(fc.tuple(tag, meta), { maxLength: 5 }).map((entries) => new Map(entries)),
      },
      { noNullPrototype: true },
    );
    const signatures = fc.array(
      fc.record({ keyId: text, method: text, sig: base64 }, { noNullPrototype: true }),
      { maxLength: 2 },
    );
    fc.assert(
      fc.property(targets, signatures, (content, signatures) => {
        const signedText = emitTargets(content);
        const bytes = emitFile(signedText, signatures);
        const file = parseTargets(RELEASES, bytes);
        assert.deepEqual(file, { content, signatures, signedText, unknownMembers: [] });
        assert.ok(Buffer.from(emitFile(emitTargets(file.content), file.signatures)).equals(bytes));
      }),
    );
    t.end();
  });
  t.end();
});
