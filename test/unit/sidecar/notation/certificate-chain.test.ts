import t, { type Test } from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { readCertificateChain } from '../../../../src/sidecar/notation/certificate-chain.ts';
import { BAD_CAS, BAD_LEAVES, GOOD_LEAVES, withUsage } from '../../../support/certificate-cases.ts';
import {
  basicConstraints,
  bundle,
  CA_EXTENSIONS,
  COMMON_NAME,
  ecKey,
  extendedKeyUsage,
  issue,
  issueCas,
  keyUsage,
  ORGANIZATION,
  rsaKey,
  SIGNING_KEYS,
  subjectOf,
  thumbprint,
  UNIT,
  type CertificateOptions,
} from '../../../support/issued-certificate.ts';

const NOW = new Date();
const [intermediate, root] = issueCas();
const HOUR = 60 * 60 * 1000;

t.test('a chain is the leaf, its issuers and the root, wherever they stand', async (t) => {
  const [high, top] = issueCas();
  const low = issue({ subject: subjectOf('low'), extensions: CA_EXTENSIONS, issuer: high });
  const leaf = issue({ issuer: low });
  const whole = [leaf, low, high, top];
  const [other] = issueCas();
  const texts = {
    'all in tls.crt': [bundle(...whole), undefined],
    'as cert-manager writes them': [bundle(leaf, low, high), bundle(top)],
    'the leaf alone in tls.crt': [bundle(leaf), bundle(low, high, top)],
    'out of order': [bundle(leaf, high, low), bundle(top)],
    'in both files': [bundle(...whole), bundle(top, high, low)],
    'with an empty ca.crt': [bundle(...whole), '\n'],
    'the root twice': [bundle(...whole, top), bundle(top)],
    'with others between': [bundle(leaf, other, low), bundle(root, high, intermediate, top)],
  } as const;
  for (const [name, [certificates, ca]] of Object.entries(texts)) {
    const chain = readCertificateChain(certificates, ca, NOW);
    t.same(chain.thumbprints, whole.map(thumbprint), name);
    t.same(
      chain.certificates.map((der) => Buffer.from(der)),
      whole.map(({ der }) => der),
    );
  }
});

t.test('a self-signed leaf is a chain of its own', async (t) => {
  const leaf = issue();
  const chain = readCertificateChain(leaf.pem, undefined, NOW);
  t.same(chain.thumbprints, [thumbprint(leaf)]);
  t.same(readCertificateChain(leaf.pem, leaf.pem, NOW).thumbprints, [thumbprint(leaf)]);
});

t.test('the key of the leaf decides the algorithm', async (t) => {
  for (const [algorithm, makeKey] of Object.entries(SIGNING_KEYS)) {
    const leaf = issue({ key: makeKey(), issuer: intermediate });
    t.equal(readCertificateChain(leaf.pem, bundle(intermediate, root), NOW).algorithm, algorithm);
  }
});

t.test('a chain ends with the certificate that ends first', async (t) => {
  const soon = new Date(Math.floor(NOW.getTime() / 1000) * 1000 + HOUR);
  const shortRoot = issue({ subject: subjectOf('short'), extensions: CA_EXTENSIONS, to: soon });
  const late = new Date(soon.getTime() - 2 * HOUR);
  const leaf = issue({ issuer: shortRoot, from: late });
  const chain = readCertificateChain(bundle(leaf, shortRoot), undefined, NOW);
  t.same([chain.notBefore, chain.notAfter], [late, soon]);
});

t.test('of two certificates of one CA, the one that is valid is taken', async (t) => {
  const key = ecKey('P-256');
  const subject = subjectOf('renewed');
  const common = { key, subject, extensions: CA_EXTENSIONS, issuer: root };
  const old = issue({ ...common, to: new Date(NOW.getTime() - HOUR) });
  const renewed = issue(common);
  const leaf = issue({ issuer: old });
  const chain = readCertificateChain(bundle(leaf, old), bundle(renewed, root), NOW);
  t.same(chain.thumbprints, [leaf, renewed, root].map(thumbprint));
});

t.test('a CA with two roots leads to the one that is there', async (t) => {
  const key = ecKey('P-256');
  const common = { key, subject: subjectOf('crossed'), extensions: CA_EXTENSIONS };
  const selfSigned = issue(common);
  const crossed = issue({ ...common, issuer: root });
  const leaf = issue({ issuer: crossed });
  const known = readCertificateChain(bundle(leaf, crossed), bundle(selfSigned), NOW);
  t.same(known.thumbprints, [leaf, selfSigned].map(thumbprint));
  const long = readCertificateChain(bundle(leaf, crossed), bundle(root), NOW);
  t.same(long.thumbprints, [leaf, crossed, root].map(thumbprint));
});

t.test('a chain without a root names the certificate that is missing', async (t) => {
  const leaf = issue({ issuer: intermediate });
  const [stranger] = issueCas();
  const lacking = [
    [leaf.pem, undefined, /certificate 1 of tls.crt .*CN=builds.* issued by .*CN=intermediate/],
    [bundle(leaf, intermediate), undefined, /certificate 2 of tls.crt .* issued by .*CN=root/],
    [leaf.pem, intermediate.pem, /certificate 1 of ca.crt .* issued by .*CN=root.*is missing/],
    [leaf.pem, bundle(stranger), /certificates of that name here have another key/],
  ] as const;
  for (const [certificates, ca, message] of lacking) {
    const error = refused(t, certificates, ca);
    t.equal(error.code, 'CERTIFICATE_CHAIN_INCOMPLETE');
    t.match(error.message, message);
    t.match(error.fix, /^Put the certificate of .*CN=.*under ca.crt into the Secret/);
  }
});

t.test('a leaf that obeys the rules makes a chain', async (t) => {
  for (const [name, options] of Object.entries(GOOD_LEAVES)) {
    const leaf = issue({ ...options, issuer: intermediate });
    t.ok(readCertificateChain(leaf.pem, bundle(intermediate, root), NOW), name);
  }
});

t.test('a leaf that breaks a rule is refused by name', async (t) => {
  for (const [name, [options, message]] of Object.entries(BAD_LEAVES)) {
    const leaf = issue({ ...options, issuer: intermediate });
    const error = refused(t, leaf.pem, bundle(intermediate, root));
    t.equal(error.code, 'CERTIFICATE_INVALID', name);
    t.match(error.message, /^certificate 1 of tls.crt/, name);
    t.match(error.message, message, name);
  }
});

t.test('what cert-manager issues by default has the fix in its words', async (t) => {
  const leaf = issue({
    ...withUsage(keyUsage(['digitalSignature', 'keyEncipherment'])),
    issuer: intermediate,
  });
  const error = refused(t, leaf.pem, bundle(intermediate, root));
  t.match(error.fix, /cert-manager .*usages: \[digital signature, code signing\]/);
  const incomplete = refused(t, leaf.pem, undefined);
  t.equal(incomplete.code, 'CERTIFICATE_INVALID', 'both are said at once');
  t.match(incomplete.message, /keyEncipherment, and is issued by .*CN=intermediate/);
  t.match(incomplete.fix, /cert-manager .* under ca.crt/);
});

t.test('a CA that breaks a rule is refused by name', async (t) => {
  for (const [name, [options, message]] of Object.entries(BAD_CAS)) {
    const top = issue({ ...options, subject: subjectOf('bad root') });
    const low = issue({ subject: subjectOf('low'), extensions: CA_EXTENSIONS, issuer: top });
    const leaf = issue({ issuer: low });
    const error = refused(t, bundle(leaf, low), top.pem);
    t.equal(error.code, 'CERTIFICATE_INVALID', name);
    t.match(error.message, /certificate 1 of ca.crt \(.*CN=bad root\)/, name);
    t.match(error.message, message, name);
  }
});

t.test('a path length that is enough is accepted', async (t) => {
  const extensions = [basicConstraints(true, 1), keyUsage(['keyCertSign'])];
  const top = issue({ extensions, subject: subjectOf('top') });
  const none = [basicConstraints(true, 0), keyUsage(['keyCertSign'])];
  const low = issue({ extensions: none, subject: subjectOf('low'), issuer: top });
  const leaf = issue({ issuer: low });
  t.ok(readCertificateChain(bundle(leaf, low, top), undefined, NOW));
});

t.test('each certificate must be valid now', async (t) => {
  const leaf = issue({ issuer: intermediate, to: new Date(NOW.getTime() - HOUR) });
  const ca = bundle(intermediate, root);
  const expired = refused(t, leaf.pem, ca);
  t.equal(expired.code, 'CERTIFICATE_EXPIRED');
  t.match(expired.message, /certificate 1 of tls.crt \(.*\) expired at \d{4}-.*Z$/);

  const early = issue({ issuer: intermediate, from: new Date(NOW.getTime() + HOUR) });
  t.match(refused(t, early.pem, ca).message, /is not valid before \d{4}-.*Z$/);

  const to = new Date(NOW.getTime() - HOUR);
  const oldRoot = issue({ subject: subjectOf('old'), extensions: CA_EXTENSIONS, to });
  const young = issue({ issuer: oldRoot });
  const error = refused(t, young.pem, oldRoot.pem);
  t.equal(error.code, 'CERTIFICATE_EXPIRED');
  t.match(error.message, /certificate 1 of ca.crt \(.*CN=old\) expired/);
});

t.test('all that is wrong with a chain is said at once', async (t) => {
  const to = new Date(NOW.getTime() - HOUR);
  const top = issue({ subject: subjectOf('bad root'), extensions: [basicConstraints(true)], to });
  const leaf = issue({
    key: rsaKey(1024),
    ...withUsage(keyUsage(['keyAgreement']), extendedKeyUsage(['serverAuth'])),
    issuer: top,
  });
  const { message } = refused(t, leaf.pem, top.pem);
  for (const part of [
    'another kind or size',
    'lacks the key usage digitalSignature',
    'keyAgreement',
    'serverAuth',
    'has no key usage',
    'expired at',
  ]) {
    t.match(message, part);
  }
});

t.test('a text that is no certificate is refused, with all that is wrong in both', async (t) => {
  const leaf = issue({ issuer: intermediate });
  const cases = [
    ['', undefined, /tls.crt holds no PEM certificate/],
    [leaf.keyPem, undefined, /tls.crt holds no PEM certificate/],
    [leaf.pem.slice(0, 300), undefined, /the certificate in line 1 of tls.crt has no end/],
    [leaf.pem, 'hello', /ca.crt holds no PEM certificate/],
    [`${leaf.pem}${root.pem.slice(0, 200)}`, 'x', /in line \d+ of tls.crt .*; ca.crt holds no/],
    [
      leaf.pem.replace(/\n.{10}/, '\nAAAAAAAAAA'),
      undefined,
      /certificate 1 of tls.crt cannot be read/,
    ],
  ] as const;
  for (const [certificates, ca, message] of cases) {
    const error = refused(t, certificates, ca);
    t.equal(error.code, 'CERTIFICATE_INVALID');
    t.match(error.message, message);
    t.notMatch(error.message, /PRIVATE KEY|-----/);
  }
});

t.test('a subject that no trust policy can name is a warning', async (t) => {
  const read = (subject: CertificateOptions['subject']) => {
    const leaf = issue({ subject: subject ?? [], issuer: intermediate });
    return readCertificateChain(leaf.pem, bundle(intermediate, root), NOW).warnings.join('\n');
  };
  t.equal(read(subjectOf('builds')), '');
  t.match(read([[COMMON_NAME, 'builds']]), /lacks C, ST, O: trust policies can accept it only/);
  t.match(read([]), /lacks C, ST, O/);
  t.match(read([...subjectOf('x'), [UNIT, 'a'], [UNIT, 'b']]), /has an attribute twice/);
  t.match(read([...subjectOf('x'), ['2a864886f70d010901', 'a@example.com']]), /cannot name/);
  t.match(read([...subjectOf('x'), ['0992268993f22c640119', 'com']]), /cannot name/);
  const hidden = read([[ORGANIZATION, 'a\u202eb\nc']]);
  t.notMatch(hidden, /[\u202e\r]/, 'and nothing in it controls the terminal');
});

function refused(t: Test, certificates: string, ca: string | undefined): SigningError {
  try {
    readCertificateChain(certificates, ca, NOW);
  } catch (error) {
    if (error instanceof SigningError) return error;
    throw error;
  }
  t.fail('it was accepted');
  return new SigningError('INTERNAL', 'accepted');
}
