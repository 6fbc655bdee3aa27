import assert from 'node:assert/strict';
import { createHash, createPrivateKey, sign } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { emitFile, emitTargets, formatExpires } from '../../../../src/sidecar/tuf/emit.ts';
import {
  keyId,
  verifySignature,
  type KeyId,
  type PublicKey,
} from '../../../../src/sidecar/tuf/key.ts';
import { TARGETS, type RoleName } from '../../../../src/sidecar/tuf/metadata.ts';
import { parseTargets } from '../../../../src/sidecar/tuf/parse.ts';
import { finish } from '../../../../src/sidecar/tuf/work.ts';
import { anyJson, anyText } from '../support/trust/arbitrary.ts';
import { RELEASES } from '../../../support/trust/repository.ts';
import { signedText } from '../support/trust/verification.ts';
import { VECTOR } from '../support/trust/vector.ts';

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex');

t.test('the signed vector comes out byte for byte', async (t) => {
  const file = finish(parseTargets(TARGETS, VECTOR.wire));
  t.equal(signedText(file), VECTOR.text);
  t.same(emitTargets(file.content), { text: VECTOR.text, signedText: VECTOR.text });
  t.equal(
    sha256(signedText(file)),
    '9f8475e540f82fef03b4a5210626f490016f389bed2417e1e473c87693b1e860',
  );
  t.equal(VECTOR.wire.length, 421);
  t.equal(sha256(VECTOR.wire), '3070ff567b1d5af635a06dbc86083d4efdbb34722506b0239d85376923d4a521');
  const emitted = emitFile(Buffer.from(VECTOR.text), [
    { keyId: VECTOR.keyId, method: 'eddsa', sig: VECTOR.signature },
  ]);
  t.equal(emitted.length, 421);
  t.ok(VECTOR.wire.equals(emitted));
  t.ok(
    verifySignature(
      VECTOR.publicKey,
      'eddsa',
      Buffer.from(VECTOR.text),
      Buffer.from(VECTOR.signature, 'base64'),
    ),
  );
  const seed = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  t.equal(sign(null, Buffer.from(VECTOR.text), key).toString('base64'), VECTOR.signature);
});

t.test('expiry is in whole seconds', async (t) => {
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
});

t.test('what is emitted parses to the same, whatever the entries', async () => {
  const base64 = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString('base64'));
  const tag = fc.oneof(
    anyText,
    fc.constantFrom('__proto__', 'constructor', '10', '9', 'a&b<c>', '\u2028'),
  );
  const meta = fc.record(
    {
      length: fc.nat(),
      hashes: fc
        .dictionary(fc.constantFrom('sha256', 'sha512'), base64, { noNullPrototype: true })
        .map((hashes) => new Map(Object.entries(hashes))),
      custom: anyJson.filter((value) => value !== null),
    },
    { requiredKeys: ['length', 'hashes'], noNullPrototype: true },
  );
  const publicKey: fc.Arbitrary<PublicKey> = fc.record(
    { keytype: anyText, public: base64 },
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
          roles: fc.uniqueArray(
            fc.record(
              {
                name: anyText as fc.Arbitrary<RoleName>,
                keyIds: fc.array(anyText as fc.Arbitrary<KeyId>, { maxLength: 2 }),
                paths: fc.array(anyText, { maxLength: 2 }),
                threshold: fc.integer({ min: 1 }),
              },
              { noNullPrototype: true },
            ),
            { maxLength: 3, selector: ({ name }) => name },
          ),
        },
        { noNullPrototype: true },
      ),
      targets: fc.array(fc.tuple(tag, meta), { maxLength: 5 }).map((entries) => new Map(entries)),
    },
    { noNullPrototype: true },
  );
  const signatures = fc.array(
    fc.record({ keyId: anyText, method: anyText, sig: base64 }, { noNullPrototype: true }),
    { maxLength: 2 },
  );
  fc.assert(
    fc.property(targets, signatures, (content, signatures) => {
      const { text, signedText: signed } = emitTargets(content);
      const bytes = emitFile(text, signatures);
      const file = finish(parseTargets(RELEASES, bytes));
      assert.deepEqual(file.content, content);
      assert.deepEqual(file.signatures, signatures);
      assert.deepEqual(file.unknownMembers, []);
      assert.equal(signedText(file), signed);
      assert.ok(
        Buffer.from(emitFile(emitTargets(file.content).text, file.signatures)).equals(bytes),
      );
    }),
  );
});
