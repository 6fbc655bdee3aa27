import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { encodeDer, readDer, sequenceOf } from '../../../../src/shared/der.ts';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import {
  readTimestampReply,
  timestampRequest,
  verifyTimestamp,
  type Stamped,
} from '../../../../src/sidecar/notation/timestamp.ts';
import { succeed } from '../../../bed/command.ts';
import { timestampStamp, type Stamp, type TimestampOptions } from '../../../bed/timestamp-stamp.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';
import {
  basicConstraints,
  bundle,
  CA_EXTENSIONS,
  ecKey,
  extendedKeyUsage,
  issue,
  issueCas,
  keyUsage,
  rsaKey,
  subjectOf,
  type CertificateOptions,
  type IssuedCertificate,
} from '../../../support/issued-certificate.ts';
import { runs } from '../../../support/runs.ts';
import {
  contentTypeAttribute,
  digestAttribute,
  signerAttribute,
  signingTimeAttribute,
  timestampReply,
} from '../../../support/timestamp-reply.ts';

const HOUR = 60 * 60 * 1000;
const directory = temporaryDirectory();
const [issuer, root] = issueCas();
const TSA_EXTENSIONS = [
  basicConstraints(false),
  keyUsage(['digitalSignature']),
  extendedKeyUsage(['timeStamping'], true),
];
const SIGNED: Stamped = {
  signature: randomBytes(64),
  algorithm: 'ES256',
  notBefore: new Date(Date.now() - HOUR),
  notAfter: new Date(Date.now() + HOUR),
};
const nonce = Buffer.from('80ff00112233445566778899aabbccddeeff0011', 'hex');

/** As an INTEGER has it. */
const encodedNonce = Buffer.concat([Buffer.alloc(1), nonce]);
const NULL = encodeDer(0x05);

let servers = 0;
/** A server with such a certificate below the intermediate one. */
async function server(
  options: CertificateOptions & { readonly carries?: readonly IssuedCertificate[] } = {},
  settings: TimestampOptions['settings'] = {},
): Promise<{ readonly leaf: IssuedCertificate; readonly stamp: Stamp }> {
  const { carries = [issuer], ...rest } = options;
  const subject = subjectOf('timestamps');
  const leaf = issue({ extensions: TSA_EXTENSIONS, subject, issuer, ...rest });
  const stamp = await timestampStamp({
    directory: join(directory, `tsa-${servers++}`),
    certificatePem: leaf.pem,
    keyPem: leaf.keyPem,
    ...(carries.length > 0 && { chainPem: bundle(...carries) }),
    settings,
  });
  return { leaf, stamp };
}

async function reply(stamp: Stamp, stamped = SIGNED, asked: Uint8Array = nonce): Promise<Buffer> {
  return stamp(timestampRequest(stamped.signature, stamped.algorithm, asked));
}

const readUsual = (bytes: Uint8Array) => readTimestampReply(bytes, { ...SIGNED, nonce }, root.pem);
const usual = await server();
const usualReply = await reply(usual.stamp);

t.test('openssl reads what is asked', async (t) => {
  const file = join(directory, 'query');
  for (const [algorithm, hash] of [
    ['ES256', 'sha256'],
    ['PS384', 'sha384'],
    ['ES512', 'sha512'],
  ] as const) {
    await writeFile(file, timestampRequest(SIGNED.signature, algorithm, nonce));
    const args = ['ts', '-query', '-in', file, '-text'];
    const said = await succeed({ program: 'openssl', args, directory });
    t.match(said, /^Version: 1$/m);
    t.match(said, `Hash Algorithm: ${hash}`);
    t.match(said, /^Nonce: 0x80FF00112233445566778899AABBCCDDEEFF0011$/m);
    t.match(said, /^Certificate required: yes$/m);
  }
});

t.test('a timestamp is read for each hash and kind of key', async (t) => {
  const keys = [ecKey('P-256'), ecKey('P-384'), rsaKey(2048)];
  for (const [i, algorithm] of (['ES256', 'PS384', 'ES512'] as const).entries()) {
    const { stamp } = await server({ key: keys[i] ?? ecKey('P-256') });
    const stamped = { ...SIGNED, algorithm };
    const bytes = await reply(stamp, stamped);
    const timestamp = readTimestampReply(bytes, { ...stamped, nonce }, root.pem);
    t.ok(Math.abs(timestamp.time.getTime() - Date.now()) < HOUR);
    t.same(verifyTimestamp(timestamp.token, stamped, root.pem), timestamp);
    t.ok(bytes.includes(Buffer.from(timestamp.token)), 'the token is that of the server');
  }
});

t.test('a timestamp ends with the certificates of its server', async (t) => {
  const to = new Date(Math.floor(Date.now() / 1000) * 1000 + HOUR);
  const { stamp } = await server({ to });
  const { notAfter } = readTimestampReply(await reply(stamp), { ...SIGNED, nonce }, root.pem);
  t.same(notAfter, to);
});

t.test('the root is one of several', async (t) => {
  const roots = bundle(issueCas()[1], root, issueCas()[1]);
  t.ok(readTimestampReply(usualReply, { ...SIGNED, nonce }, roots));
});

t.test(
  'servers whose certificate is straight below the root, or is the root, are read',
  async (t) => {
    const direct = await server({ issuer: root, carries: [] });
    t.ok(readTimestampReply(await reply(direct.stamp), { ...SIGNED, nonce }, root.pem));
    const leaf = issue({ extensions: TSA_EXTENSIONS, subject: subjectOf('alone') });
    const stamp = await timestampStamp({
      directory: join(directory, 'alone'),
      certificatePem: leaf.pem,
      keyPem: leaf.keyPem,
    });
    t.ok(readTimestampReply(await reply(stamp), { ...SIGNED, nonce }, leaf.pem));
  },
);

t.test('what openssl can name in other ways is read', async (t) => {
  for (const settings of [
    { ess_cert_id_chain: 'yes', certs: '' },
    { ess_cert_id_alg: 'sha512', tsa_name: 'yes', ordering: 'yes' },
    { signer_digest: 'sha512', accuracy: 'secs:1, millisecs:500, microsecs:100' },
    { default_policy: '0.4.0.2023.1.1' },
  ]) {
    const { stamp } = await server(
      {},
      settings.certs === '' ? { ess_cert_id_chain: 'yes' } : settings,
    );
    t.ok(readTimestampReply(await reply(stamp), { ...SIGNED, nonce }, root.pem));
  }
});

t.test('the timestamp must be within the validity of the signing certificates', async (t) => {
  const now = Date.now();
  const { stamp } = await server({}, { accuracy: 'secs:30' });
  const bytes = await reply(stamp);
  const between = (from: number, to: number) => ({
    ...SIGNED,
    nonce,
    notBefore: new Date(now + from),
    notAfter: new Date(now + to),
  });
  t.ok(readTimestampReply(bytes, between(-60_000, 90_000), root.pem));
  for (const [from, to] of [
    [-10_000, HOUR],
    [-HOUR, 10_000],
    [-HOUR, -HOUR / 2],
  ] as const) {
    const message = refused(t, () => readTimestampReply(bytes, between(from, to), root.pem));
    t.match(message, /timestamp is of .* ± 30 s, and the signing certificates are valid from/);
  }
});

t.test('the baseline policy is accurate to a second, if it says nothing', async (t) => {
  const { stamp } = await server({}, { default_policy: '0.4.0.2023.1.1' });
  const bytes = await reply(stamp);
  const { time } = readUsual(bytes);
  const ending = (notAfter: Date) => ({ ...SIGNED, nonce, notAfter });
  const message = refused(t, () => readTimestampReply(bytes, ending(time), root.pem));
  t.match(message, /timestamp is of .* ± 1 s/);
  t.ok(readTimestampReply(bytes, ending(new Date(time.getTime() + 1000)), root.pem));
  t.ok(readTimestampReply(usualReply, ending(readUsual(usualReply).time), root.pem));
});

t.test('what notation would not take is refused, and why', async (t) => {
  const read = (bytes: Buffer, asked: Partial<Stamped & { nonce: Buffer }> = {}, ca = root.pem) =>
    refused(t, () => readTimestampReply(bytes, { ...SIGNED, nonce, ...asked }, ca));
  t.match(read(usualReply, { nonce: Buffer.from([1]) }), /its nonce is another/);
  t.match(read(usualReply, { signature: randomBytes(64) }), /over another signature/);
  t.match(read(usualReply, { algorithm: 'ES384' }), /over another signature/);
  t.match(read(usualReply, {}, issueCas()[1].pem), /CN=root, which is neither in the token nor/);
  t.match(read(usualReply, {}, issuer.pem), /neither in the token nor a given root/);
  t.match(read(usualReply, {}, ''), /neither in the token nor a given root/);
  t.match(read(usualReply, {}, issuer.pem.replace(/\n.{9}/, '\nAAAAAAAAA')), /cannot be read/);

  const alone = await server({ carries: [] });
  t.match(read(await reply(alone.stamp)), /CN=intermediate, which is neither in the token/);
  const withRoot = await server({ carries: [issuer, root] });
  const message = read(await reply(withRoot.stamp), {}, issueCas()[1].pem);
  t.match(message, /ends in .*CN=root, which is none of the given roots/);

  const sha1 = await server({}, { ess_cert_id_alg: 'sha1' });
  t.match(read(await reply(sha1.stamp)), /no attribute SigningCertificateV2/);
  const withoutNonce = await usual.stamp(await query('-sha256'));
  t.match(read(withoutNonce), /nonce/);
});

const usage = keyUsage(['digitalSignature']);
const stamping = extendedKeyUsage(['timeStamping'], true);
const stamper = issue({ extensions: TSA_EXTENSIONS, issuer });
/** A reply made by hand. */
const handMade = (
  change?: Parameters<typeof timestampReply>[4],
  signer = stamper,
  carries: readonly IssuedCertificate[] = [issuer],
) => timestampReply(signer, carries, SIGNED.signature, encodedNonce, change);
t.test('the certificates of a server obey the rules', async (t) => {
  const ca = issue({
    subject: subjectOf('code'),
    extensions: [...CA_EXTENSIONS, extendedKeyUsage(['codeSigning'])],
    issuer: root,
  });
  const cases: readonly (readonly [string, CertificateOptions, RegExp])[] = [
    ['no key usage', { extensions: [stamping] }, /has no key usage/],
    [
      'keyAgreement',
      { extensions: [keyUsage(['digitalSignature', 'keyAgreement']), stamping] },
      /the key usage keyAgreement/,
    ],
    ['no extended key usage', { extensions: [usage] }, /has not timeStamping alone/],
    [
      'one that is not critical',
      { extensions: [usage, extendedKeyUsage(['timeStamping'])] },
      /has not timeStamping alone/,
    ],
    [
      'two of them',
      { extensions: [usage, extendedKeyUsage(['timeStamping', 'codeSigning'], true)] },
      /has not timeStamping alone/,
    ],
    ['a CA', { extensions: [basicConstraints(true), usage, stamping] }, /is that of a CA/],
    ['a key that Go does not read', { key: ecKey('secp256k1') }, /an EC key on an unknown curve/],
    ['a key of another size', { key: ecKey('P-224') }, /a key of another kind or size/],
    ['an expired one', { to: new Date(Date.now() - HOUR) }, /expired at/],
    ['a future one', { from: new Date(Date.now() + HOUR) }, /is not valid before/],
    [
      'an unknown critical extension',
      { extensions: [usage, stamping, { type: '2a0304', isCritical: true, value: NULL }] },
      /a critical extension that is unknown/,
    ],
    ['an intermediate one for code signing', { issuer: ca }, /without timeStamping/],
    ['SHA-1', { hash: 'sha1' }, /over SHA-2/],
  ];
  for (const [name, options, message] of cases) {
    const signer = issue({ extensions: TSA_EXTENSIONS, issuer, ...options });
    const bytes = handMade(undefined, signer, [issuer, ca]);
    t.match(
      refused(t, () => readUsual(bytes)),
      message,
      name,
    );
  }
  const { stamp } = await server(underPurpose('timeStamping'));
  t.ok(readUsual(await reply(stamp)));
  const lenient = issue({
    extensions: [keyUsage(['digitalSignature'], false), stamping],
    issuer,
  });
  t.ok(readUsual(handMade(undefined, lenient)), 'as notation takes it');
});

t.test('a token is what RFC 3161 says, and is signed as a whole', async (t) => {
  t.ok(readUsual(handMade()));
  t.ok(readUsual(handMade(({ attributes }) => ({ attributes: attributes.toReversed() }))));
  const cases: readonly (readonly [string, Parameters<typeof timestampReply>[4], RegExp])[] = [
    ['signed data version 1', () => ({ signedDataVersion: 1 }), /another version than 3/],
    ['timestamp version 2', () => ({ tstVersion: 2 }), /another version than 1/],
    ['another content', () => ({ contentType: '2a864886f70d010701' }), /no timestamp/],
    ['a signer by key id', () => ({ signerVersion: 3 }), /not named by its issuer/],
    ['two signatures', () => ({ signatures: 2 }), /more than one signature/],
    ['no certificates', () => ({ certificates: [] }), /not in the token/],
    ['a certificate that is none', () => ({ certificates: [encodeDer(0x30)] }), /verified/],
    [
      'a time that there is not',
      () => ({ time: encodeDer(0x18, Buffer.from('20261340')) }),
      /time/,
    ],
    ['UTCTime', () => ({ time: encodeDer(0x17, Buffer.from('261130050000Z')) }), /without time/],
    ['no attributes', () => ({ attributes: [] }), /no attribute SigningCertificateV2/],
    [
      'an attribute twice',
      ({ attributes }) => ({ attributes: [...attributes, ...attributes] }),
      /an attribute stands twice/,
    ],
    [
      'the digest of something else',
      ({ attributes: [type = NULL, , signer = NULL] }) => ({
        attributes: [type, digestAttribute(Buffer.from('x')), signer],
      }),
      /its message digest is another/,
    ],
    [
      'a signature over something else',
      ({ attributes: [, ...others] }) => ({
        attributes: [contentTypeAttribute('2a864886f70d010701'), ...others],
      }),
      /not over a timestamp/,
    ],
    [
      'the hash of another certificate',
      ({ attributes: [type = NULL, digest = NULL] }) => ({
        attributes: [type, digest, signerAttribute(issuer)],
      }),
      /names another certificate/,
    ],
    [
      'a signing time outside its certificate',
      ({ attributes }) => ({
        attributes: [...attributes, signingTimeAttribute(new Date('2020-01-01T00:00:00Z'))],
      }),
      /is not valid before/,
    ],
  ];
  for (const [name, change, message] of cases) {
    t.match(
      refused(t, () => readUsual(handMade(change))),
      message,
      name,
    );
  }
  const bytes = handMade();
  const last = bytes.length - 1;
  bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last);
  t.match(
    refused(t, () => readUsual(bytes)),
    /the signature of the token does not verify/,
  );
});

/** A server below a CA with this extended key usage. */
function underPurpose(purpose: 'codeSigning' | 'timeStamping') {
  const extensions = [...CA_EXTENSIONS, extendedKeyUsage([purpose])];
  const ca = issue({ subject: subjectOf('purpose'), extensions, issuer: root });
  return { issuer: ca, carries: [ca] };
}

t.test('an answer that is no timestamp is refused in the words of the server', async (t) => {
  const read = (bytes: Uint8Array) =>
    refused(t, () => readTimestampReply(bytes, { ...SIGNED, nonce }, root.pem));
  t.match(read(Buffer.from('<html>502</html>')), /the answer is no timestamp reply/);
  t.match(read(Buffer.alloc(0)), /the answer is no timestamp reply/);
  t.match(read(Buffer.alloc(2_000_000)), /more than 1048576 bytes/);
  t.match(read(Buffer.alloc(900_000, 0x30)), /no timestamp reply/);
  t.match(read(Buffer.alloc(900_000, Buffer.from([0x30, 0x80]))), /no timestamp reply/);
  const strict = await server({}, { digests: 'sha512' });
  t.match(read(await reply(strict.stamp)), /the server refused: status 2, ".*not supported.*"/);
  const [status] = sequenceOf(readDer(usualReply)[0]);
  const granted = encodeDer(0x30, encodeDer(0x30, status?.content ?? Buffer.alloc(0)));
  t.match(read(granted), /the server refused: status 0/);
});

t.test('a token in BER, as other servers write it, is read', async (t) => {
  const ber = toBer(usualReply);
  t.notSame(ber, usualReply);
  const timestamp = readTimestampReply(ber, { ...SIGNED, nonce }, root.pem);
  t.ok(usualReply.includes(Buffer.from(timestamp.token)), 'and is kept in DER');
});

t.test('a reply with one byte changed is refused, or says the same', async (t) => {
  const whole = readTimestampReply(usualReply, { ...SIGNED, nonce }, root.pem);
  fc.assert(
    fc.property(
      fc.nat({ max: usualReply.length - 1 }),
      fc.integer({ min: 0, max: 255 }),
      (place, octet) => {
        const bytes = Buffer.from(usualReply);
        bytes.writeUInt8(octet, place);
        try {
          const { time, notAfter } = readTimestampReply(bytes, { ...SIGNED, nonce }, root.pem);
          t.same({ time, notAfter }, { time: whole.time, notAfter: whole.notAfter });
        } catch (error) {
          if (!(error instanceof SigningError)) throw error;
          t.equal(error.code, 'TIMESTAMP_FAILED');
        }
      },
    ),
    runs(3000),
  );
});

/** A query of openssl, without nonce. */
async function query(hash: string): Promise<Buffer> {
  const file = join(directory, 'data');
  await writeFile(file, SIGNED.signature);
  const out = join(directory, 'data.tsq');
  const args = ['ts', '-query', '-data', file, hash, '-no_nonce', '-cert', '-out', out];
  await succeed({ program: 'openssl', args, directory });
  return readFile(out);
}

/** The same with lengths that are not known in advance, and octet strings in parts where CMS has them. */
function toBer(der: Buffer): Buffer {
  return Buffer.concat(
    readDer(der).map(({ tag, content }) => {
      const isSequence = tag === 0x30 || tag === 0xa0;
      // Certificates and signed attributes are DER in BER too: what is hashed stays.
      const isToken = isSequence && content.includes(Buffer.from('2a864886f70d0109100104', 'hex'));
      if (tag === 0x04 && content[0] === 0x30 && content.length > 100) {
        const half = content.length >> 1;
        const parts = [content.subarray(0, half), content.subarray(half)];
        return indefinite(0x24, Buffer.concat(parts.map((part) => encodeDer(0x04, part))));
      }
      return isToken ? indefinite(tag, toBer(content)) : encodeDer(tag, content);
    }),
  );
}

function indefinite(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, 0x80]), content, Buffer.alloc(2)]);
}

function refused(t: Test, read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    t.equal(error.code, 'TIMESTAMP_FAILED');
    return error.message;
  }
  t.fail('it was accepted');
  return '';
}
