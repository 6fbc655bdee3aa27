import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { readNotationSecret } from '../../../../src/sidecar/notation/notation-secret.ts';

t.test('a Secret of cert-manager is read as texts', async (t) => {
  const files = { 'tls.crt': 'the chain', 'tls.key': 'the key', 'ca.crt': 'the root' };
  const secret = await readNotationSecret(t.testdir({ ...files, 'tls-combined.pem': 'x' }));
  t.same(secret, { certificatePem: 'the chain', keyPem: 'the key', caPem: 'the root' });
});

t.test(
  'ca.crt and password are optional, and blanks around the password are no part of it',
  async (t) => {
    const directory = t.testdir({ 'tls.crt': 'c', 'tls.key': 'k', password: ' secret\n' });
    const { caPem, password } = await readNotationSecret(directory);
    t.equal(caPem, undefined);
    t.same(password?.candidates.map(String), ['secret', ' secret\n']);
  },
);

t.test('what is missing is named, and what is there instead', async (t) => {
  const cases = [
    [{}, 'CERTIFICATE_INVALID', /has no tls.crt and no tls.key: it is empty$/],
    [
      { 'targets.key': 'k', 'notary-password.txt': 'p' },
      'CERTIFICATE_INVALID',
      /has no tls.crt and no tls.key: it holds notary-password.txt, targets.key$/,
    ],
    [{ 'tls.key': 'k' }, 'CERTIFICATE_INVALID', /has no tls.crt: it holds tls.key$/],
    [{ 'tls.crt': 'c', '..data': {} }, 'KEY_MISSING', /has no tls.key: it holds tls.crt$/],
  ] as const;
  for (const [files, code, message] of cases) {
    const error = await refused(t.testdir(files));
    t.equal(error.code, code);
    t.match(error.message, message);
    t.match(error.fix, /under tls.crt and tls.key into the Secret/);
  }
});

t.test('a directory that is not there, and files that are none, cannot be read', async (t) => {
  t.equal((await refused(`${t.testdir()}/absent`)).code, 'FILE_UNREADABLE');
  const error = await refused(t.testdir({ 'tls.crt': {}, 'tls.key': 'k' }));
  t.equal(error.code, 'FILE_UNREADABLE');
  t.match(error.message, /tls.crt is not a file/);
});

async function refused(directory: string): Promise<SigningError> {
  const error = await readNotationSecret(directory).catch((thrown: unknown) => thrown);
  if (error instanceof SigningError) return error;
  throw new Error('it was accepted', { cause: error });
}
