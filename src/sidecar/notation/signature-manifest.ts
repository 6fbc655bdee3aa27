import { isObject } from '../../shared/json.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import type { CertificateChain } from './certificate-chain.ts';
import { second } from './chain-rules.ts';
import { readDescriptor, SIGNATURE_TYPE, type Descriptor } from './descriptor.ts';
import { ENVELOPE_TYPE } from './envelope.ts';
import { parseStrictObject } from './strict-json.ts';

/**
 * The two forms of a signature manifest (signature specification, "Storage"). `config-type` says by
 * the type of its config what it is, as released notation writes it; `artifact-type` is that of OCI 1.1.
 * Registries differ in which they list.
 */
export type ManifestForm = 'config-type' | 'artifact-type';

/** The config of every signature manifest. */
export const EMPTY_CONFIG: Uint8Array = Buffer.from('{}');

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
/** The annotation with the thumbprints of the chain, as a JSON list in a text. */
export const THUMBPRINTS = 'io.cncf.notary.x509chain.thumbprint#S256';
const CREATED = 'org.opencontainers.image.created';

/**
 * Formats the manifest of a signature.
 *
 * @param subject what is signed
 * @returns the descriptor with artifact type and annotations, as a list of referrers has it
 */
export function formatSignatureManifest(
  form: ManifestForm,
  subject: Descriptor,
  envelope: Uint8Array,
  chain: CertificateChain,
  created: Date,
): { readonly bytes: Uint8Array; readonly descriptor: Descriptor } {
  const annotations = {
    [THUMBPRINTS]: JSON.stringify(chain.thumbprints),
    [CREATED]: second(created),
  };
  const isConfig = form === 'config-type';
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    ...(isConfig ? {} : { artifactType: SIGNATURE_TYPE }),
    config: describe(isConfig ? SIGNATURE_TYPE : EMPTY_TYPE, EMPTY_CONFIG),
    layers: [describe(ENVELOPE_TYPE, envelope)],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const descriptor = {
    ...describe(MANIFEST_TYPE, bytes),
    artifactType: SIGNATURE_TYPE,
    annotations,
  };
  return { bytes, descriptor };
}

/**
 * The envelope of a signature manifest, by whomever; its media type may be another than JWS.
 *
 * @returns undefined when it is no signature manifest of this subject, with one envelope
 */
export function readSignatureManifest(
  bytes: Uint8Array,
  subject: Descriptor,
): { readonly envelope: Descriptor } | undefined {
  const manifest = parseStrictObject(bytes);
  if (manifest?.['schemaVersion'] !== 2 || manifest['mediaType'] !== MANIFEST_TYPE)
    return undefined;
  const { artifactType, config, layers } = manifest;
  const type = artifactType ?? (isObject(config) ? config['mediaType'] : undefined);
  const signed = readDescriptor(manifest['subject']);
  const isOfSubject =
    signed?.mediaType === subject.mediaType &&
    signed.digest === subject.digest &&
    signed.size === subject.size;
  if (type !== SIGNATURE_TYPE || !isOfSubject) return undefined;
  if (!Array.isArray(layers) || layers.length !== 1) return undefined;
  const envelope = readDescriptor(layers[0]);
  return envelope && { envelope };
}

function describe(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: `sha256:${sha256Hex(bytes)}`, size: bytes.length };
}
