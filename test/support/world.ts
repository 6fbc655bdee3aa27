/** Build pods with all that the webhooks read of the cluster. */
import {
  buildFixture,
  signingNamespace,
  type BuildFixture,
  type Manifest,
} from './build-fixture.ts';

/** A build pod, what it was made from, and its namespace. Free to be changed. */
export interface World extends BuildFixture {
  namespace: Manifest;
}

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

/** @param name `v0.17.2/02-notary`, as the directory is named */
export function world(name = 'v0.17.2/02-notary', namespace = signingNamespace()): World {
  return { ...buildFixture(name), namespace };
}

/** A world that asks for nothing yet. */
export const silentWorld = (
  annotations: Record<string, string> = {},
  label = 'enabled',
  name = 'v0.17.2/01-plain-git',
) => world(name, signingNamespace(label, annotations));

/** Sets the notary section wherever kpack would have copied it to. */
export function setSection({ build, image }: World, notary: unknown): void {
  build.spec['notary'] = notary;
  if (image) image.spec['notary'] = notary;
}

/** Sets annotations on the Image, and on Build and pod, where kpack copies them. */
export function annotate({ build, image, pod }: World, annotations: Record<string, string>): void {
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
