/** Keys whose derivation outlasts the deadline: it is heard between two derivations. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import t, { type Test } from 'tap';
import { SigningError } from '../../src/shared/signing-error.ts';
import type { Password } from '../../src/sidecar/keys/password.ts';
import * as signingKey from '../../src/sidecar/keys/signing-key.ts';
import { createSteps } from '../../src/sidecar/io/steps.ts';
import { createAuthority } from '../bed/authority.ts';
import { startHandlerServer } from '../bed/handler-server.ts';
import { asPassword, makeKeyDirectory, openPem, PASSWORD } from '../support/private-key.ts';
import { failsWith } from '../support/signer-failure.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';

const { opensslKey } = makeKeyDirectory();
const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);

/** How many keys were derived from a password since now, by Node or by OpenSSL. */
function countDerivations(t: Test, onDerivation: () => void = () => undefined): () => number {
  const { pbkdf2Sync, createPrivateKey } = crypto;
  const derived = t.capture(crypto, 'pbkdf2Sync', (...args: Parameters<typeof pbkdf2Sync>) => {
    onDerivation();
    return pbkdf2Sync(...args);
  });
  const withPassphrase = (key: unknown) => 'passphrase' in Object(key);
  const created = t.capture(
    crypto,
    'createPrivateKey',
    (key: Parameters<typeof createPrivateKey>[0]) => {
      if (withPassphrase(key)) onDerivation();
      return createPrivateKey(key);
    },
  );
  syncBuiltinESMExports();
  t.teardown(syncBuiltinESMExports);
  return () => derived().length + created().filter(({ args: [key] }) => withPassphrase(key)).length;
}

t.test('no derivation begins after the deadline', async (t) => {
  const slow = p256.encrypt('-iter', '500000');
  let deadline = new AbortController();
  // It passes while the first key is derived.
  const derivations = countDerivations(t, () =>
    deadline.abort(new SigningError('DEADLINE_EXCEEDED', 'too late')),
  );
  const open = async (pem: string, password: Password | undefined) => {
    deadline = new AbortController();
    const { drive } = createSteps(deadline.signal);
    return drive(signingKey.openKeys([{ name: 'x.key', pem }], password));
  };
  await t.rejects(open(slow.repeat(4), asPassword(PASSWORD)), { code: 'DEADLINE_EXCEEDED' });
  t.equal(derivations(), 1, 'of four keys');
  await t.rejects(open(slow, asPassword(' another ')), { code: 'DEADLINE_EXCEEDED' });
  t.equal(derivations(), 1, 'of the two ways to read a password');
});

t.test('one password takes one derivation, also where it is wrong', async (t) => {
  for (const options of [[], ['-v2prf', 'hmacWithSHA512'], ['-v2', 'aes-128-cbc'], ['-scrypt']]) {
    const pem = p256.encrypt(...options);
    const derivations = countDerivations(t);
    t.throws(() => openPem(pem, 'another'), { code: 'KEY_PASSWORD_WRONG' });
    t.equal(derivations(), 1, options.join(' '));
  }
});

t.test('a run whose keys take all of the budget ends with the deadline', async (t) => {
  const directory = temporaryDirectory();
  const authority = await createAuthority(directory);
  const requests: (string | undefined)[] = [];
  const server = await startHandlerServer({
    authority,
    handle: ({ url }, response) => {
      requests.push(url);
      response.writeHead(404).end();
    },
  });
  t.teardown(() => server.stop());
  for (const count of [1, 2]) {
    // SHA-512 takes longest: no machine does a million in a fifth of a second.
    const pem = p256.encrypt('-v2prf', 'hmacWithSHA512', '-iter', `${2_000_000 / count}`);
    const run = await runSigner({
      directory,
      notaryUrl: server.url,
      secret: { 'a.key': pem.repeat(count), password: PASSWORD },
      report: reportToml(['registry.example.test/demo/app:1'], 'a'.repeat(64), 7),
      args: ['--deadline=0.2'],
    });
    failsWith(t, run, 'DEADLINE_EXCEEDED');
    if (count > 1) t.notMatch(run.stdout, /^keys: /m, 'they are not all opened');
  }
  t.same(requests, [], 'the Notary server is asked nothing');
});
