import { createPrivateKey } from 'node:crypto';
import t, { type Test } from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { envelopeSigner } from '../../../../src/sidecar/notation/envelope-signer.ts';
import { readEnvelope } from '../../../../src/sidecar/notation/envelope-reader.ts';
import type { NotationSecret } from '../../../../src/sidecar/notation/notation-secret.ts';
import { finish } from '../../../../src/sidecar/tuf/work.ts';
import { issue, rsaKey } from '../../../support/issued-certificate.ts';
import { asPassword, makeKeyDirectory, PASSWORD } from '../../../support/private-key.ts';
import { makeSignature, makeSigner } from '../../../support/signature-fixture.ts';
import { everyForm } from '../support/key-forms.ts';

const NOW = new Date();
const directory = makeKeyDirectory();
const password = asPassword(PASSWORD);
const keys = {
  ec: directory.opensslKey('p256', ['ec_paramgen_curve:P-256']),
  rsa: directory.opensslKey('rsa', ['rsa_keygen_bits:2048'], 'RSA'),
};

t.test('the key in tls.key is read in every form, and signs', async (t) => {
  for (const [algorithm, openssl] of Object.entries(keys)) {
    const { secret } = makeSigner({ key: createPrivateKey(openssl.plain) });
    const forms = everyForm(directory, openssl, algorithm as 'ec' | 'rsa');
    t.ok(Object.keys(forms).length > 5);
    for (const [name, keyPem] of Object.entries(forms)) {
      const signer = finish(envelopeSigner({ ...secret, keyPem, password }, NOW));
      const bytes = await makeSignature(signer, { signingTime: NOW });
      t.ok(readEnvelope(bytes, NOW), `${algorithm} ${name}`);
    }
  }
});

t.test('a key and a certificate that do not belong together are refused', async (t) => {
  const { secret } = makeSigner();
  for (const { keyPem } of [issue(), issue({ key: rsaKey(2048) })]) {
    const error = refused(t, { ...secret, keyPem });
    t.equal(error.code, 'KEY_MISMATCH');
    t.match(
      error.message,
      /tls.key does not belong to the first certificate of tls.crt \(.*CN=builds/,
    );
  }
});

t.test('a key that cannot be opened is refused in the words of this Secret', async (t) => {
  const { secret } = makeSigner({ key: createPrivateKey(keys.ec.plain) });
  const encrypted = keys.ec.encrypt();
  const wrong = asPassword('wrong');
  const cases = [
    [
      { keyPem: encrypted },
      'KEY_PASSWORD_MISSING',
      /encrypted/,
      /password of the key under password/,
    ],
    [
      { keyPem: encrypted, password: wrong },
      'KEY_PASSWORD_WRONG',
      /tls.key cannot be decrypted/,
      /Correct password in the Secret/,
    ],
    [{ keyPem: '' }, 'KEY_INVALID', /tls.key holds no private key: it is empty/, /under tls.key/],
    [{ keyPem: secret.certificatePem }, 'KEY_INVALID', /holds a certificate/, /PKCS#8/],
    [{ keyPem: keys.ec.plain.slice(0, 80) }, 'KEY_INVALID', /has no end/, /PKCS#8/],
    [
      { keyPem: keys.ec.plain + keys.rsa.plain },
      'KEY_INVALID',
      /holds 2 private keys, and the signer cannot choose/,
      /PKCS#8/,
    ],
  ] as const;
  for (const [change, code, message, fix] of cases) {
    const error = refused(t, { ...secret, ...change });
    t.equal(error.code, code);
    t.match(error.message, message);
    t.match(error.fix, fix);
    t.notMatch(`${error.message} ${error.fix}`, /\*\.key|notary-password|docker/);
    t.notMatch(error.message, /-----|correct horse|wrong$/);
  }
});

t.test('a certificate that may not sign is refused before the key is opened', async (t) => {
  const { secret } = makeSigner();
  const error = refused(t, { ...secret, certificatePem: '', keyPem: '' });
  t.equal(error.code, 'CERTIFICATE_INVALID');
});

function refused(t: Test, secret: NotationSecret): SigningError {
  try {
    finish(envelopeSigner(secret, NOW));
  } catch (error) {
    if (error instanceof SigningError) return error;
    throw error;
  }
  t.fail('it was accepted');
  return new SigningError('INTERNAL', 'accepted');
}
