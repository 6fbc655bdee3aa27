/** Build pods that real kpack made, with the objects around them. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { fixtureJson } from './fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';

export const URL = 'https://notary.example.com:4443';
export const PIN = 'a1'.repeat(32);
export const OTHER_PIN = 'b2'.repeat(32);

/** What our annotations and labels begin with. */
export const P = 'notary.kpack.io/';

/** Annotations of an admin, on the Namespace. */
export const ADMIN = {
  [`${P}v1.url`]: 'https://admin.example.com',
  [`${P}v1.secretRef`]: 'admin-key',
};

/** Annotations of a developer, on the Image. */
export const DEVELOPER = {
  [`${P}v1.url`]: 'https://developer.example.com',
  [`${P}v1.secretRef`]: 'developer-key',
};

/** Annotations of an admin for v2, on the Namespace. */
export const ADMIN_V2 = {
  [`${P}v2.secretRef`]: 'admin-v2-key',
  [`${P}v2.timestampUrl`]: 'https://timestamp.admin.example.com',
  [`${P}v2.timestampCaSecretRef`]: 'admin-timestamp-ca',
  [`${P}v2.expiry`]: '720h',
};

/** Annotations of a developer for v2, on the Image. */
export const DEVELOPER_V2 = {
  [`${P}v2.secretRef`]: 'developer-v2-key',
  [`${P}v2.timestampUrl`]: 'http://timestamp.developer.example.com',
  [`${P}v2.timestampCaSecretRef`]: 'developer-timestamp-ca',
};

/** An object of the cluster, as plain JSON. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
}

/** A Secret, its data in base64. */
export interface SecretManifest extends Manifest {
  readonly data: Record<string, string>;
}

export type PodManifest = V1Pod & Manifest & { spec: V1PodSpec };

/** A build pod as kpack's controller posts it, and what it was made from. Free to be changed. */
export interface BuildFixture {
  readonly pod: PodManifest;
  readonly build: Manifest & { spec: Record<string, unknown> };
  /** As stored; a Build made by hand has none. */
  readonly image: (Manifest & { spec: Record<string, unknown> }) | undefined;
  readonly serviceAccount: Manifest & { secrets?: { name: string }[] };
  readonly secrets: SecretManifest[];
  namespace: Manifest;
}

/** @param name `v0.17.2/02-notary`, as the directory is named */
export function buildFixture(
  name = 'v0.17.2/02-notary',
  namespace = signingNamespace(),
): BuildFixture {
  const read = (file: string) => fixtureJson(`pods/${name}/${file}`);
  const hasImage = existsSync(join(projectDirectory(), 'test/fixtures/pods', name, 'image.json'));
  return {
    pod: read('pod.json') as PodManifest,
    build: read('build.json') as BuildFixture['build'],
    image: hasImage ? (read('image.json') as BuildFixture['image']) : undefined,
    serviceAccount: read('serviceaccount.json') as BuildFixture['serviceAccount'],
    secrets: (read('secrets.json') as { items: SecretManifest[] | null }).items ?? [],
    namespace,
  };
}

/** The namespace of the fixtures, with the label that opts it in; none where it is empty. */
export function signingNamespace(
  label = 'enabled',
  annotations: Record<string, string> = {},
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: 'apps',
      labels: label === '' ? {} : { 'notary.kpack.io/signing': label },
      annotations,
    },
  };
}

/** Everything that the webhook reads of a fixture. */
export function manifestsOf(fixture: BuildFixture): Manifest[] {
  const { namespace, build, image, serviceAccount, secrets } = fixture;
  return [namespace, build, ...(image ? [image] : []), serviceAccount, ...secrets];
}

/** Writes a directory of manifests, one file an object. */
export async function writeManifests(directory: string, manifests: readonly Manifest[]) {
  await mkdir(directory, { recursive: true });
  for (const manifest of manifests) {
    const file = `${manifest.kind}-${manifest.metadata.name}.json`.toLowerCase();
    await writeFile(join(directory, file), JSON.stringify(manifest, undefined, 2));
  }
}

/** Data of Secrets as the kubelet would mount them. */
export function secretData(
  secrets: readonly SecretManifest[],
): Map<string, Record<string, string>> {
  return new Map(
    secrets.map(({ metadata, data }) => [
      metadata.name,
      Object.fromEntries(
        Object.entries(data).map(([file, content]) => [
          file,
          Buffer.from(content, 'base64').toString(),
        ]),
      ),
    ]),
  );
}

/** A Secret in the namespace of the fixtures. */
export function secret(
  name: string,
  data: Readonly<Record<string, string>>,
  annotations: Record<string, string> = {},
): SecretManifest {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'apps', annotations },
    data: Object.fromEntries(
      Object.entries(data).map(([file, content]) => [
        file,
        Buffer.from(content).toString('base64'),
      ]),
    ),
  };
}

/** A build for which nobody has set how to sign it. */
export const unconfiguredBuild = (
  annotations: Record<string, string> = {},
  label = 'enabled',
  name = 'v0.17.2/01-plain-git',
) => buildFixture(name, signingNamespace(label, annotations));

/** Sets the notary section wherever kpack would have copied it to. */
export function setSection({ build, image }: BuildFixture, notary: unknown): void {
  build.spec['notary'] = notary;
  if (image) image.spec['notary'] = notary;
}

/** Sets annotations on the Image, and on Build and pod, where kpack copies them. */
export function annotate(
  { build, image, pod }: BuildFixture,
  annotations: Record<string, string>,
): void {
  for (const object of [build, pod, ...(image ? [image] : [])]) {
    object.metadata.annotations = { ...object.metadata.annotations, ...annotations };
  }
}

/** A notary section. */
export const section = (url: unknown = URL, secretRef: unknown = { name: 'notary-signing' }) => ({
  v1: { url, secretRef },
});

/** A changed copy. */
export function changed<Value>(value: Value, change: (copy: Value) => void): Value {
  const copy = JSON.parse(JSON.stringify(value)) as Value;
  change(copy);
  return copy;
}
