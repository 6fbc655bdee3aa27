import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { verifySignature } from '../../../../src/sidecar/tuf/key.ts';
import type { OpenedKeys } from '../../../../src/sidecar/keys/signing-key.ts';
import { everyForm } from '../support/key-forms.ts';
import { asPassword, makeKeyDirectory, openKeys, PASSWORD } from '../../../support/private-key.ts';
import { runs } from '../../../support/runs.ts';

const directory = makeKeyDirectory();
const { opensslKey } = directory;
const forms = [
  ...Object.values(everyForm(directory, opensslKey('p256', ['ec_paramgen_curve:P-256']), 'ec')),
  ...Object.values(everyForm(directory, opensslKey('rsa', ['rsa_keygen_bits:2048'], 'RSA'), 'rsa')),
  ...Object.values(everyForm(directory, opensslKey('ed25519', [], 'ED25519'), 'ed25519')),
];
const anyPassword = fc.constantFrom(PASSWORD, 'another', '', undefined);

/** Far above what it takes: a change may ask for as much key derivation as is allowed. */
const LONGEST_MS = 20_000;
const message = Buffer.from('{"_type":"Targets"}');

/** Opens it, or says why not, in good time; and what opens can sign. */
async function judge(pem: string, password: string | undefined): Promise<void> {
  const begun = performance.now();
  let opened: OpenedKeys;
  try {
    opened = openKeys([{ name: 'x.key', pem }], asPassword(password));
  } catch (error) {
    if (!(error instanceof SigningError) || !error.code.startsWith('KEY_')) throw error;
    if (error.message === '' || error.fix === '') throw new Error('it says nothing');
    opened = { keys: [], unopened: [], misnamed: [] };
  }
  const milliseconds = performance.now() - begun;
  if (milliseconds > LONGEST_MS) throw new Error(`it took ${milliseconds} ms`);
  for (const key of opened.keys) {
    const signature = await key.sign(message);
    if (!verifySignature(key.publicKey, key.method, message, signature)) {
      throw new Error('it signs, and nobody can verify it');
    }
  }
}

t.test('bytes of any kind are judged', async (t) => {
  const label = fc.constantFrom('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'EC PRIVATE KEY', 'X');
  const anyBlock = fc
    .tuple(
      label,
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('', 'DEK-Info: AES-128-CBC,00\n'),
    )
    .map(([label, bytes, header]) => {
      const body = Buffer.from(bytes).toString('base64');
      return `-----BEGIN ${label}-----\n${header}\n${body}\n-----END ${label}-----\n`;
    });
  const anyFile = fc.oneof(fc.string({ unit: 'binary' }), anyBlock);
  await fc.assert(
    fc.asyncProperty(fc.array(anyFile, { maxLength: 4 }), anyPassword, (parts, password) =>
      judge(parts.join('\n'), password),
    ),
    runs(1000),
  );
  t.pass('no file throws anything else, or takes long');
});

/** A place in a text, and what to put there. */
const anyChange = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.nat(40),
  added: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.constantFrom('\n', '-', '=', 'A', ':', '-----BEGIN PRIVATE KEY-----\n', 'DEK-Info: x\n'),
  ),
});

t.test('every good file, changed anywhere, is judged', async (t) => {
  const changed = fc
    .tuple(fc.constantFrom(...forms), fc.array(anyChange, { minLength: 1, maxLength: 3 }))
    .map(([pem, changes]) =>
      changes.reduce((text, { at, removed, added }) => {
        const place = Math.floor(at * text.length);
        return text.slice(0, place) + added + text.slice(place + removed);
      }, pem),
    );
  await fc.assert(fc.asyncProperty(changed, anyPassword, judge), runs(1500));
  t.pass('no change throws anything else, takes long, or makes a key that cannot sign');
});

t.test('every good file, with a byte of its DER changed, is judged', async (t) => {
  const blocks = forms.flatMap((pem) => {
    const match =
      /-----BEGIN ([A-Z0-9 ]+ KEY)-----\n((?:[\w-]+: .*\n|\n)*)([A-Za-z0-9+/=\n]+)-----END/;
    const [, label = '', head = '', body = ''] = match.exec(pem) ?? [];
    return body === '' ? [] : [{ label, head, bytes: Buffer.from(body, 'base64') }];
  });
  const changed = fc
    .tuple(fc.constantFrom(...blocks), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255))
    .map(([{ label, head, bytes }, at, value]) => {
      const copy = Buffer.from(bytes);
      copy[Math.floor(at * (copy.length - 1))] = value;
      const body = copy.toString('base64');
      return `-----BEGIN ${label}-----\n${head}${body}\n-----END ${label}-----\n`;
    });
  await fc.assert(
    fc.asyncProperty(changed, (pem) => judge(pem, PASSWORD)),
    runs(2000),
  );
  t.pass('no byte throws anything else, takes long, or makes a key that cannot sign');
});
