/** Signatures that hold nothing but a name, and clients that push them. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Gun } from '../../../src/shared/image-reference.ts';
import { sha256Hex } from '../../../src/shared/sha256.ts';
import type { MountedCredentials } from '../../../src/shared/signer-flags.ts';
import { registryCredentials } from '../../../src/sidecar/auth/registry-credentials.ts';
import { createHttpClient } from '../../../src/sidecar/http/http-client.ts';
import { readProxySettings } from '../../../src/sidecar/http/proxy-settings.ts';
import type { Pause } from '../../../src/sidecar/http/retry.ts';
import { SIGNATURE_TYPE, type Descriptor } from '../../../src/sidecar/notation/descriptor.ts';
import {
  createSignatureRegistry,
  type SignatureRegistry,
} from '../../../src/sidecar/notation/signature-registry.ts';
import type { Authority } from '../../bed/authority.ts';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const REPOSITORY = 'demo/app';

/** A signature manifest in the form of notation 1.3, with its blobs and its entry in a list. */
export interface TestSignature {
  readonly blobs: readonly Uint8Array[];
  readonly manifest: Uint8Array;
  readonly entry: Descriptor;
}

export function signatureOf(subject: Descriptor, name: string): TestSignature {
  const { mediaType, digest, size } = subject;
  const [config, envelope] = [Buffer.from('{}'), Buffer.from(JSON.stringify({ name }))];
  const annotations = { 'test.name': name };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptorOf(config, SIGNATURE_TYPE),
      layers: [descriptorOf(envelope, 'application/jose+json')],
      subject: { mediaType, digest, size },
      annotations,
    }),
  );
  const entry = {
    ...descriptorOf(manifest, MANIFEST_TYPE),
    artifactType: SIGNATURE_TYPE,
    annotations,
  };
  return { blobs: [config, envelope], manifest, entry };
}

export function descriptorOf(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: `sha256:${sha256Hex(bytes)}`, size: bytes.length };
}

/** Pushes blobs and manifest; no list is written. */
export async function push(
  registry: SignatureRegistry,
  { blobs, manifest }: TestSignature,
): Promise<void> {
  for (const blob of blobs) await registry.pushBlob(blob);
  await registry.pushManifest(manifest, MANIFEST_TYPE);
}

export interface TestClientOptions {
  /** `host:port` of the registry. */
  readonly host: string;
  readonly authority?: Authority;
  readonly secrets?: readonly MountedCredentials[];
  /** Waits, where nothing else is said. */
  readonly pause?: Pause;
  /** Milliseconds; 2,000 by default. */
  readonly silenceLimit?: number;
}

/** A client with connections of its own, and what it says. */
export function signatureRegistry(
  t: Test,
  { host, authority, secrets = [], pause = waitFor, silenceLimit = 2000 }: TestClientOptions,
) {
  const said: string[] = [];
  const log = { step: hear, warn: hear };
  const { signal } = new AbortController();
  const http = createHttpClient({
    ca: authority ? [authority.certificatePem] : [],
    proxy: readProxySettings({}),
    signal,
    silenceLimit,
  });
  t.teardown(() => http.close());
  const credentials = registryCredentials(secrets, log);
  const access = { http: () => http, credentials, signal, pause, log };
  const registry = createSignatureRegistry(`${host}/${REPOSITORY}` as Gun, access);
  return Object.assign(registry, { said });

  function hear(message: string): void {
    said.push(message);
  }
}

async function waitFor(milliseconds: number): Promise<boolean> {
  await wait(milliseconds);
  return true;
}
