import 'reflect-metadata';
import { createPrivateKey, X509Certificate, type webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as ParsedCertificate,
  X509CertificateGenerator,
  type Extension,
} from '@peculiar/x509';
import type { IssuingCa } from './issuing-ca.ts';
import { CLOCK_TOLERANCE_MS, readCaCertificates, type CaCertificate } from './ca-certificate.ts';
import { CA_LIFE_MS, leafEnd } from './certificate-plan.ts';
import type { KeyPair } from './tls-files.ts';

/** A serving certificate with the key that belongs to it. */
export interface Leaf extends KeyPair {
  /** In ms since 1970. */
  readonly begins: number;
  readonly ends: number;
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };
/**
 * What a certificate of a CA may say of itself: basic constraints, key usage, identifiers of its own
 * key and of its issuer's. Anything else that is critical may be refused.
 */
const KNOWN = new Set(['2.5.29.19', '2.5.29.15', '2.5.29.14', '2.5.29.35']);
/** What limits the leaves of a CA, critical or not: names, and extended key usage. */
const LIMITS = new Set(['2.5.29.30', '2.5.29.37']);
/** X.509 knows whole seconds. */
const SECOND_MS = 1000;

/**
 * Makes a CA with a new key. It begins a day ago, for clocks that are behind.
 *
 * @param now in ms since 1970
 */
export async function makeCa(now: number): Promise<IssuingCa> {
  const keys = await makeKeys();
  // A name of its own, since certificates of one name and several keys are hard to tell apart.
  const identifier = await SubjectKeyIdentifierExtension.create(keys.publicKey);
  const made = await X509CertificateGenerator.createSelfSigned({
    name: `CN=kpack-notary ${identifier.keyId.slice(0, 16)}`,
    keys,
    ...lifeOf(now, now + CA_LIFE_MS),
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      identifier,
    ],
  });
  return { ...certificateOf(made), key: await pemOf(keys.privateKey) };
}

/**
 * Issues a serving certificate with a new key, which exists in this process alone.
 *
 * @param names DNS names of the server, its shortest first
 * @param now in ms since 1970
 * @throws Error when the CA cannot issue one that holds
 */
export async function issueLeaf(
  ca: IssuingCa,
  names: readonly string[],
  now: number,
): Promise<Leaf> {
  const keys = await makeKeys();
  const issuer = new ParsedCertificate(ca.pem);
  demandUnlimited(issuer, ca);
  const signingKey = await crypto.subtle.importKey(
    'pkcs8',
    createPrivateKey(ca.key).export({ type: 'pkcs8', format: 'der' }),
    P256,
    false,
    ['sign'],
  );
  const made = await X509CertificateGenerator.create({
    subject: `CN=${names[0] ?? ''}`,
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey,
    ...lifeOf(now, leafEnd(ca, now)),
    signingAlgorithm: SIGNING,
    extensions: [
      ...serverExtensions(names),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await issuerIdentifier(issuer),
    ],
  });
  const { pem, begins, ends } = certificateOf(made);
  demandIssued(pem, ca, Buffer.from(issuer.subjectName.toArrayBuffer()));
  return { cert: pem, key: await pemOf(keys.privateKey), begins, ends };
}

/**
 * What is served before the first leaf, so that probes are answered: signed by itself, and trusted by
 * nobody.
 */
export async function makeProvisional(names: readonly string[], now: number): Promise<KeyPair> {
  const keys = await makeKeys();
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=kpack-notary provisional',
    keys,
    ...lifeOf(now, now + CA_LIFE_MS),
    signingAlgorithm: SIGNING,
    extensions: serverExtensions(names),
  });
  return { cert: certificateOf(made).pem, key: await pemOf(keys.privateKey) };
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key));
  const opened = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return opened.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function lifeOf(now: number, ends: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const whole = (time: number) => new Date(Math.floor(time / SECOND_MS) * SECOND_MS);
  return { notBefore: whole(now - CLOCK_TOLERANCE_MS), notAfter: whole(ends) };
}

function serverExtensions(names: readonly string[]): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
  ];
}

/** As the issuer names itself: another way to make it would be refused. */
async function issuerIdentifier(issuer: ParsedCertificate): Promise<Extension> {
  const own = issuer.getExtension(SubjectKeyIdentifierExtension);
  return own
    ? new AuthorityKeyIdentifierExtension(own.keyId)
    : AuthorityKeyIdentifierExtension.create(issuer.publicKey);
}

function certificateOf(made: ParsedCertificate): CaCertificate {
  const [certificate] = readCaCertificates(made.toString('pem'));
  if (!certificate) throw new Error('a certificate was made that cannot be read');
  return certificate;
}

function demandUnlimited({ extensions }: ParsedCertificate, { fingerprint }: IssuingCa): void {
  const found = extensions.find(
    ({ type, critical }) => LIMITS.has(type) || (critical && !KNOWN.has(type)),
  );
  if (found) {
    throw new Error(
      `the CA ${fingerprint} is limited by its extension ${found.type}: another one is made; to use your own, issue it without`,
    );
  }
}

/** Go looks for the issuer by the bytes of its name: they have to be those that it has itself. */
function demandIssued(pem: string, ca: IssuingCa, name: Buffer): void {
  const [leaf, issuer] = [new X509Certificate(pem), new X509Certificate(ca.pem)];
  const isIssued =
    leaf.checkIssued(issuer) &&
    leaf.verify(issuer.publicKey) &&
    issuer.raw.includes(name) &&
    leaf.raw.includes(name);
  if (!isIssued) {
    throw new Error(`the CA ${ca.fingerprint} does not issue certificates that hold`);
  }
}
