import assert from 'node:assert/strict';
import t from 'tap';
import { verifySignature } from '../../../../src/sidecar/tuf/key.ts';
import { makeKeyDirectory, openKey, PASSWORD, withHeaders } from '../../../support/private-key.ts';
import { makeKey, type KeyKind } from '../../../support/trust/key.ts';

t.test('signatures', async (t) => {
  const opened = (kind: KeyKind) => {
    const pem = makeKey(kind).privateKey.export({ type: 'pkcs8', format: 'pem' });
    return openKey(pem.toString());
  };
  const bytes: readonly (readonly [
    kind: KeyKind,
    method: string,
    length: number,
    rounds: number,
  ])[] = [
    ['p256', 'ecdsa', 64, 200],
    ['p384', 'ecdsa', 96, 20],
    ['p521', 'ecdsa', 132, 20],
    ['rsa2048', 'rsapss', 256, 3],
    ['ed25519', 'eddsa', 64, 20],
  ];

  t.test('verify, in the form and width that Notary reads', async (t) => {
    for (const [kind, method, length, rounds] of bytes) {
      const key = opened(kind);
      t.equal(key.method, method);
      for (let i = 0; i < rounds; i += 1) {
        const message = Buffer.from(`{"n":${i},"text":"ü${'x'.repeat(i * 7)}"}`);
        const signature = await key.sign(message);
        assert.equal(signature.length, length, kind);
        assert.ok(verifySignature(key.publicKey, method, message, signature), `${kind} ${i}`);
        message[0] = 0;
        assert.ok(!verifySignature(key.publicKey, method, message, signature));
      }
      t.pass(`${kind}: ${rounds} of ${length} bytes`);
    }
  });

  t.test('are over the very bytes, as many at once as wanted', async (t) => {
    const key = opened('p256');
    const whole = Buffer.from('before|message|after');
    const message = whole.subarray(7, 14);
    const signatures = await Promise.all(Array.from({ length: 5 }, () => key.sign(message)));
    for (const signature of signatures) {
      t.ok(verifySignature(key.publicKey, 'ecdsa', Buffer.from('message'), signature));
    }
    t.ok(
      verifySignature(key.publicKey, 'ecdsa', Buffer.alloc(0), await key.sign(new Uint8Array())),
    );
  });

  t.test('by a key that openssl made and encrypted', async (t) => {
    const { opensslKey } = makeKeyDirectory();
    const pem = opensslKey('late', ['ec_paramgen_curve:P-256']).encrypt();
    const key = openKey(withHeaders(pem, 'role: alice'), PASSWORD);
    const message = Buffer.from('message');
    t.ok(verifySignature(key.publicKey, key.method, message, await key.sign(message)));
  });
});
