/** Signatures of the Notary Project, made by the product or by hand. */
import { constants, createHash, sign, type KeyObject } from 'node:crypto';
import type { CertificateChain } from '../../src/sidecar/notation/certificate-chain.ts';
import type { Descriptor } from '../../src/sidecar/notation/descriptor.ts';
import { makeEnvelope, type EnvelopeOptions } from '../../src/sidecar/notation/envelope.ts';
import { envelopeSigner, type EnvelopeSigner } from '../../src/sidecar/notation/envelope-signer.ts';
import {
  EMPTY_CONFIG,
  formatSignatureManifest,
} from '../../src/sidecar/notation/signature-manifest.ts';
import { finish } from '../../src/sidecar/tuf/work.ts';
import { writeLayout } from '../bed/oci-layout.ts';
import {
  bundle,
  issue,
  issueCas,
  SIGNING_KEYS,
  thumbprint,
  type CertificateOptions,
  type IssuedCertificate,
} from './issued-certificate.ts';

/** The names of the algorithms. */
export const ALGORITHMS = Object.keys(SIGNING_KEYS) as readonly (keyof typeof SIGNING_KEYS)[];

/** An image without layers. */
export const IMAGE = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(EMPTY_CONFIG),
      size: EMPTY_CONFIG.length,
    },
    layers: [],
  }),
);
export const TARGET: Descriptor = {
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: digestOf(IMAGE),
  size: IMAGE.length,
};

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A leaf below one intermediate certificate and a root, and who signs with it. */
export function makeSigner(options: CertificateOptions = {}, now = new Date()) {
  const [issuer, root] = issueCas();
  const leaf = issue({ ...options, issuer });
  const secret = {
    certificatePem: bundle(leaf, issuer),
    keyPem: leaf.keyPem,
    caPem: bundle(root),
  };
  return { signer: finish(envelopeSigner(secret, now)), secret, leaf, issuer, root };
}

/** One who signs with any certificates, unchecked, in the order of the arguments. */
export function uncheckedSigner(
  algorithm: keyof typeof SIGNING_KEYS,
  ...certificates: readonly [IssuedCertificate, ...IssuedCertificate[]]
): EnvelopeSigner {
  const chain: CertificateChain = {
    certificates: certificates.map(({ der }) => der),
    algorithm,
    thumbprints: certificates.map(thumbprint),
    subject: '',
    notBefore: new Date(0),
    notAfter: new Date(8e12),
    warnings: [],
  };
  const { key } = certificates[0];
  return { chain, sign: (input) => Promise.resolve(signRaw(key, algorithm, input)) };
}

/** Signs as JOSE does, by node:crypto. */
export function signRaw(key: KeyObject, algorithm: string, input: Uint8Array): Buffer {
  const hash = `sha${algorithm.slice(2)}`;
  if (key.asymmetricKeyType !== 'rsa') return sign(hash, input, { key, dsaEncoding: 'ieee-p1363' });
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return sign(hash, input, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
}

export function makeSignature(
  signer: EnvelopeSigner,
  options: Partial<EnvelopeOptions> = {},
): Promise<Uint8Array> {
  return makeEnvelope(TARGET, signer, { signingTime: new Date(), agent: 'test/1', ...options });
}

/**
 * Writes a layout with the image and a signature of it.
 *
 * @returns how notation names the image there
 */
export async function layoutWith(
  directory: string,
  envelope: Uint8Array,
  chain: CertificateChain,
): Promise<string> {
  const { bytes, descriptor } = formatSignatureManifest(
    'config-type',
    TARGET,
    envelope,
    chain,
    new Date(),
  );
  const manifests = [
    { mediaType: TARGET.mediaType, bytes: IMAGE },
    { mediaType: descriptor.mediaType, bytes },
  ];
  await writeLayout(directory, manifests, [EMPTY_CONFIG, envelope]);
  return `${directory}@${TARGET.digest}`;
}
