/** What the real notation CLI says about what the product makes, accepts and refuses. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { readEnvelope } from '../../src/sidecar/notation/envelope-reader.ts';
import type { EnvelopeSigner } from '../../src/sidecar/notation/envelope-signer.ts';
import { readCertificateChain } from '../../src/sidecar/notation/certificate-chain.ts';
import { EMPTY_CONFIG } from '../../src/sidecar/notation/signature-manifest.ts';
import {
  readTimestampReply,
  timestampRequest,
  verifyTimestamp,
} from '../../src/sidecar/notation/timestamp.ts';
import { goTools } from '../bed/go-tools.ts';
import { notationCli, type NotationCliOptions } from '../bed/notation-cli.ts';
import { writeLayout } from '../bed/oci-layout.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';
import { serveTimestamps } from '../bed/timestamp-server.ts';
import { timestampStamp, type Stamp } from '../bed/timestamp-stamp.ts';
import { BAD_CAS, BAD_LEAVES, GOOD_LEAVES } from '../support/certificate-cases.ts';
import {
  basicConstraints,
  bundle,
  CA_EXTENSIONS,
  extendedKeyUsage,
  issue,
  issueCas,
  keyUsage,
  SIGNING_KEYS,
  subjectOf,
  type IssuedCertificate,
} from '../support/issued-certificate.ts';
import {
  ALGORITHMS,
  IMAGE,
  layoutWith,
  makeSignature,
  makeSigner,
  TARGET,
  uncheckedSigner,
} from '../support/signature-fixture.ts';

const tools = await goTools();
if ('missing' in tools) {
  t.plan(0, tools.missing);
  process.exit();
}
const { notation } = tools;
const directory = temporaryDirectory();
let places = 0;
const place = () => join(directory, String(places++));

/** What notation says about an envelope: nothing if it accepts it. */
async function judge(
  envelope: Uint8Array,
  signer: EnvelopeSigner,
  options: Pick<NotationCliOptions, 'roots'> & Partial<NotationCliOptions>,
): Promise<string> {
  const reference = await layoutWith(place(), envelope, signer.chain);
  const cli = await notationCli({ program: notation, home: place(), ...options });
  const { code, stderr } = await cli.verifyLayout(reference);
  return code === 0 ? '' : stderr;
}

t.test('notation accepts each of the six algorithms, with the identity pinned', async (t) => {
  for (const algorithm of ALGORITHMS) {
    const { signer, root } = makeSigner({ key: SIGNING_KEYS[algorithm]() });
    const expiry = new Date(Date.now() + 60 * 60 * 1000);
    const envelope = await makeSignature(signer, { expiry });
    const identities = ['x509.subject: C=DE, ST=BE, O=Example, CN=builds'];
    t.equal(await judge(envelope, signer, { roots: [root.pem], identities }), '', algorithm);
    const other = await judge(envelope, signer, { roots: [issueCas()[1].pem] });
    t.match(other, 'signature verification failed', 'and not under another root');
  }
});

/** Where the specification is stricter than notation. */
const ACCEPTED_BY_NOTATION = [
  'SHA-1, self-signed',
  'anyExtendedKeyUsage',
  'constraints that are not critical',
  'RSA 2047',
];

t.test(
  'what the product accepts, notation accepts; what it refuses, notation refuses',
  async (t) => {
    const [issuer, root] = issueCas();
    const chains: (readonly [string, readonly [IssuedCertificate, ...IssuedCertificate[]]])[] = [];
    for (const [name, options] of [
      ...Object.entries(GOOD_LEAVES),
      ...Object.entries(BAD_LEAVES).map(([name, [options]]) => [name, options] as const),
    ]) {
      chains.push([name, [issue({ ...options, issuer }), issuer, root]]);
      chains.push([`${name}, self-signed`, [issue(options)]]);
    }
    for (const [name, [options]] of Object.entries(BAD_CAS)) {
      const top = issue({ ...options, subject: subjectOf('bad root') });
      const low = issue({ subject: subjectOf('low'), extensions: CA_EXTENSIONS, issuer: top });
      chains.push([name, [issue({ issuer: low }), low, top]]);
    }
    for (const [name, certificates] of chains) {
      const [leaf] = certificates;
      const root = certificates.at(-1) ?? leaf;
      const { asymmetricKeyType, asymmetricKeyDetails: details } = leaf.key;
      const signer = uncheckedSigner(
        asymmetricKeyType === 'rsa' ? 'PS256' : 'ES256',
        ...certificates,
      );
      if (asymmetricKeyType === 'ed25519' || (details?.modulusLength ?? 2048) < 1200) continue;
      const said = await judge(await makeSignature(signer), signer, { roots: [root.pem] });
      const isOurs = isAccepted(certificates);
      if (isOurs) t.equal(said, '', `${name}: both accept`);
      else if (ACCEPTED_BY_NOTATION.some((rule) => name.startsWith(rule))) t.pass(name);
      else t.not(said, '', `${name}: both refuse`);
    }
  },
);

function isAccepted(certificates: readonly IssuedCertificate[]): boolean {
  try {
    readCertificateChain(bundle(...certificates), undefined, new Date());
    return true;
  } catch {
    return false;
  }
}

/** A timestamp server below its own root. */
async function timestamps(): Promise<{ readonly stamp: Stamp; readonly root: IssuedCertificate }> {
  const { identity, root } = timestampIdentity();
  return { stamp: await timestampStamp({ directory: place(), ...identity }), root };
}

function timestampIdentity() {
  const [issuer, root] = issueCas();
  const extensions = [
    basicConstraints(false),
    keyUsage(['digitalSignature']),
    extendedKeyUsage(['timeStamping'], true),
  ];
  const leaf = issue({ extensions, subject: subjectOf('timestamps'), issuer });
  return {
    identity: { certificatePem: leaf.pem, keyPem: leaf.keyPem, chainPem: issuer.pem },
    root,
  };
}

function stampWith(stamp: Stamp, signer: EnvelopeSigner, root: IssuedCertificate) {
  return async (signature: Uint8Array) => {
    const nonce = Buffer.from('0102030405060708', 'hex');
    const reply = await stamp(timestampRequest(signature, signer.chain.algorithm, nonce));
    return readTimestampReply(reply, { ...signer.chain, signature, nonce }, root.pem).token;
  };
}

t.test('notation accepts the timestamps that the product accepts', async (t) => {
  for (const algorithm of ALGORITHMS) {
    const { signer, root } = makeSigner({ key: SIGNING_KEYS[algorithm]() });
    const server = await timestamps();
    const timestamp = stampWith(server.stamp, signer, server.root);
    const envelope = await makeSignature(signer, { timestamp });
    const roots = { roots: [root.pem], timestampRoots: [server.root.pem] };
    t.equal(await judge(envelope, signer, roots), '', algorithm);
    const bare = await makeSignature(signer);
    t.match(await judge(bare, signer, roots), 'signature verification failed');
  }
});

t.test('a signature with a timestamp outlives its certificate', async (t) => {
  const to = new Date(Math.ceil(Date.now() / 1000) * 1000 + 4000);
  const { signer, root } = makeSigner({ to });
  const server = await timestamps();
  const timestamp = stampWith(server.stamp, signer, server.root);
  const envelope = await makeSignature(signer, { timestamp });
  await until(to);
  const roots = { roots: [root.pem], timestampRoots: [server.root.pem] };
  t.equal(await judge(envelope, signer, roots), '');
  t.match(await judge(envelope, signer, { roots: [root.pem] }), 'signature verification failed');
  const read = readEnvelope(envelope, new Date());
  t.ok(read.notAfter < new Date());
  t.ok(verifyTimestamp(read.timestampToken ?? new Uint8Array(), read, server.root.pem));
});

/** Waits for a moment: nothing else makes a certificate expire. */
async function until(moment: Date): Promise<void> {
  while (new Date() <= moment) {
    await new Promise((resolve) => setTimeout(resolve, moment.getTime() - Date.now() + 1));
  }
}

t.test(
  'the product reads what notation signs, in any zone, with metadata and timestamp',
  async (t) => {
    const identity = timestampIdentity();
    const server = await serveTimestamps(
      await timestampStamp({ directory: place(), ...identity.identity }),
    );
    t.teardown(() => server.stop());
    for (const [algorithm, zone] of [
      ['ES256', 'UTC'],
      ['PS384', 'America/St_Johns'],
      ['ES512', 'Asia/Tokyo'],
    ] as const) {
      const { secret, root, leaf, issuer } = makeSigner({ key: SIGNING_KEYS[algorithm]() });
      const home = place();
      const cli = await notationCli({ program: notation, home, roots: [root.pem] });
      const [keyPath, certPath, tsaRoot] = ['key', 'chain', 'tsa'].map((name) => join(home, name));
      await writeFile(keyPath ?? '', secret.keyPem);
      await writeFile(certPath ?? '', bundle(leaf, issuer, root));
      await writeFile(tsaRoot ?? '', identity.root.pem);
      const keys = { default: 'bed', keys: [{ name: 'bed', keyPath, certPath }] };
      await writeFile(join(home, 'notation/signingkeys.json'), JSON.stringify(keys));
      const layout = place();
      await writeLayout(layout, [{ mediaType: TARGET.mediaType, bytes: IMAGE }], [EMPTY_CONFIG]);
      const reference = `${layout}@${TARGET.digest}`;
      const stamping = ['--timestamp-url', server.url, '--timestamp-root-cert', tsaRoot ?? ''];
      const args = ['sign', '--oci-layout', '--user-metadata', 'a.b/c=d', ...stamping, reference];
      const env = { NOTATION_EXPERIMENTAL: '1', TZ: zone };
      const { code, stderr } = await cli.run(args, env);
      t.equal(code, 0, stderr);
      const envelope = readEnvelope(await envelopeIn(layout), new Date());
      t.equal(envelope.algorithm, algorithm);
      t.same(envelope.target, { ...TARGET, annotations: { 'a.b/c': 'd' } });
      t.ok(Math.abs(envelope.signingTime.getTime() - Date.now()) < 60_000, zone);
      t.ok(
        verifyTimestamp(envelope.timestampToken ?? new Uint8Array(), envelope, identity.root.pem),
      );
    }
  },
);

/** The one blob of a layout that looks like an envelope. */
async function envelopeIn(layout: string): Promise<Uint8Array> {
  const blobs = join(layout, 'blobs/sha256');
  const files = await Promise.all(
    (await readdir(blobs)).map((name) => readFile(join(blobs, name))),
  );
  return files.find((bytes) => bytes.includes('"protected"')) ?? new Uint8Array();
}
