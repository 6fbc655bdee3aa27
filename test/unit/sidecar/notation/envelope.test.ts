import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { readEnvelope } from '../../../../src/sidecar/notation/envelope-reader.ts';
import { issueCas, issue, rsaKey, SIGNING_KEYS } from '../../../support/issued-certificate.ts';
import {
  ALGORITHMS,
  makeSignature,
  makeSigner,
  TARGET,
  uncheckedSigner,
} from '../../../support/signature-fixture.ts';
import { verifyJws } from '../../../../src/sidecar/notation/jws-algorithm.ts';

const NOW = new Date('2026-11-30T05:00:00.750Z');
const EXPIRY = new Date('2027-11-30T05:00:00.999Z');
const valid = { from: new Date('2026-01-01T00:00:00Z'), to: new Date('2036-01-01T00:00:00Z') };

t.test('an envelope has four members, and says exactly what the specification wants', async (t) => {
  const leaf = issue(valid);
  const signer = uncheckedSigner('ES256', leaf);
  const signed: Buffer[] = [];
  const recording = {
    ...signer,
    sign: (input: Uint8Array) => {
      signed.push(Buffer.from(input));
      return Promise.resolve(Buffer.from([1, 2, 3]));
    },
  };
  const bytes = await makeSignature(recording, { signingTime: NOW, agent: 'kpack-notary/1.2.3' });
  const payload = `{"targetArtifact":{"mediaType":"${TARGET.mediaType}","digest":"${TARGET.digest}","size":${TARGET.size}}}`;
  const header =
    '{"alg":"ES256","cty":"application/vnd.cncf.notary.payload.v1+json","crit":["io.cncf.notary.signingScheme"],"io.cncf.notary.signingScheme":"notary.x509","io.cncf.notary.signingTime":"2026-11-30T05:00:00Z"}';
  const base64Url = (text: string) => Buffer.from(text).toString('base64url');
  t.same(JSON.parse(Buffer.from(bytes).toString()), {
    payload: base64Url(payload),
    protected: base64Url(header),
    header: {
      x5c: [leaf.der.toString('base64')],
      'io.cncf.notary.signingAgent': 'kpack-notary/1.2.3',
    },
    signature: 'AQID',
  });
  t.same(signed.map(String), [`${base64Url(header)}.${base64Url(payload)}`]);
});

t.test('an expiry is critical, and a timestamp is over the signature', async (t) => {
  const signer = uncheckedSigner('ES256', issue(valid));
  const stamped: Uint8Array[] = [];
  const bytes = await makeSignature(signer, {
    signingTime: NOW,
    expiry: EXPIRY,
    timestamp: (signature) => {
      stamped.push(signature);
      return Promise.resolve(Buffer.from('a token'));
    },
  });
  const envelope = readEnvelope(bytes, NOW);
  t.same(envelope.expiry, new Date('2027-11-30T05:00:00Z'));
  t.same(Buffer.from(envelope.timestampToken ?? []).toString(), 'a token');
  t.same(
    stamped.map((signature) => Buffer.from(signature)),
    [Buffer.from(envelope.signature)],
  );
});

t.test('metadata of the target are not signed', async (t) => {
  const { signer } = makeSigner();
  const { makeEnvelope } = await import('../../../../src/sidecar/notation/envelope.ts');
  const target = { ...TARGET, artifactType: 'a/b', annotations: { a: 'b' } };
  const now = new Date();
  const bytes = await makeEnvelope(target, signer, { signingTime: now, agent: 'x/1' });
  t.same(readEnvelope(bytes, now).target, TARGET);
});

t.test('each of the six algorithms signs, and reads back', async (t) => {
  for (const algorithm of ALGORITHMS) {
    const { signer, leaf, issuer, root } = makeSigner({ key: SIGNING_KEYS[algorithm]() });
    const now = new Date();
    const envelope = readEnvelope(await makeSignature(signer), now);
    t.equal(envelope.algorithm, algorithm);
    t.same(envelope.target, TARGET);
    t.same(
      envelope.certificates.map((der) => Buffer.from(der)),
      [leaf, issuer, root].map(({ der }) => der),
    );
    t.same(envelope.notAfter, signer.chain.notAfter);
    t.same(envelope.notBefore, signer.chain.notBefore);
    t.ok(Math.abs(envelope.signingTime.getTime() - now.getTime()) <= 2000);
  }
});

t.test('a signature counts for its own algorithm and key alone', async (t) => {
  const message = Buffer.from('the message');
  for (const algorithm of ALGORITHMS) {
    const { signer, leaf } = makeSigner({ key: SIGNING_KEYS[algorithm]() });
    const key = createPublicKey(leaf.key);
    const signature = await signer.sign(message);
    const verifies = ALGORITHMS.filter((name) => verifyJws(key, name, message, signature));
    t.same(verifies, [algorithm]);
    const changed = Buffer.from(signature);
    changed.writeUInt8(changed.readUInt8(9) ^ 1, 9);
    t.notOk(verifyJws(key, algorithm, message, changed));
    t.notOk(verifyJws(key, algorithm, message, signature.subarray(1)));
    t.notOk(verifyJws(key, algorithm, message, Buffer.alloc(0)));
    t.notOk(verifyJws(key, algorithm, Buffer.from('another'), signature));
  }
  const ed25519 = generateKeyPairSync('ed25519').publicKey;
  t.notOk(verifyJws(ed25519, 'ES256', message, Buffer.alloc(64)), 'nor for another kind of key');
  t.notOk(verifyJws(createPublicKey(rsaKey(2048)), 'ES256', message, Buffer.alloc(64)));
  t.ok(issueCas());
});
