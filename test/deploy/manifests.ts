/** What kubectl makes of deploy/, as it is or with what a cluster's admin adds. */
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { V1Deployment } from '@kubernetes/client-node';
import { loadAll } from 'js-yaml';
import type { KubeReference } from '../bed/kube-client.ts';
import { kustomize } from '../bed/kubectl.ts';
import type { PodManifest } from '../support/build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';

/** An object of a manifest. */
export type ManifestObject = KubeReference & Readonly<Record<string, unknown>>;

/** What is in deploy/components. */
export const COMPONENTS = [
  'alerts',
  'cert-manager',
  'certificate-files',
  'namespace-permissions',
  'network-policy',
  'own-account',
] as const;
export type Component = (typeof COMPONENTS)[number];

/** How the webhook may come to its certificate, and what its rights go by. */
export const WAYS: Readonly<Record<string, readonly Component[]>> = {
  'as it is': [],
  'with all that goes with it': [
    'alerts',
    'network-policy',
    'namespace-permissions',
    'own-account',
  ],
  'with certificate files': ['certificate-files'],
  'with cert-manager': ['cert-manager', 'alerts', 'network-policy', 'namespace-permissions'],
};

export const deployDirectory = (): string => join(projectDirectory(), 'deploy');

/**
 * Writes a kustomization as an admin would, and returns its directory.
 *
 * @param directory exists
 */
export async function customization(
  directory: string,
  components: readonly Component[],
  more: object = {},
): Promise<string> {
  const base = relative(directory, deployDirectory());
  const kustomization = {
    resources: [base],
    components: components.map((name) => join(base, 'components', name)),
    ...more,
  };
  await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization));
  return directory;
}

export function objectsOf(text: string): readonly ManifestObject[] {
  return loadAll(text) as ManifestObject[];
}

export async function deployedObjects(directory: string): Promise<readonly ManifestObject[]> {
  return objectsOf(await kustomize(directory));
}

/** @throws Error when there is not exactly one of that kind and name */
export function theOne(
  objects: readonly ManifestObject[],
  kind: string,
  name?: string,
): ManifestObject {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  const [one] = found;
  if (one === undefined || found.length > 1) {
    throw new Error(`${found.length} objects of kind ${kind}`);
  }
  return one;
}

/** The pod template of the webhook, and its one container. */
export function webhookPod(objects: readonly ManifestObject[]) {
  const { spec } = theOne(objects, 'Deployment') as V1Deployment;
  const template = spec?.template;
  const [container, ...others] = template?.spec?.containers ?? [];
  if (template?.spec === undefined || container === undefined || others.length > 0) {
    throw new Error('not a pod with one container');
  }
  return { template, spec: template.spec, container, ports: container.ports ?? [] };
}

/** A pod as the Deployment makes them. */
export function replicaPod(objects: readonly ManifestObject[]): PodManifest {
  const { template, spec } = webhookPod(objects);
  const labels = template.metadata?.labels ?? {};
  const metadata = { name: 'replica', namespace: 'kpack-notary', labels };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: structuredClone(spec) as PodManifest['spec'],
  };
}

/** What the manifests set for the program, as it would find it. */
export function environmentOf(objects: readonly ManifestObject[]): Record<string, string> {
  const { env = [] } = webhookPod(objects).container;
  const fields: Readonly<Record<string, string>> = { 'metadata.namespace': 'kpack-notary' };
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [
      name,
      value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ''] ?? '',
    ]),
  );
}
