import { BUILD_LABEL } from '../../shared/names.ts';
import { readBuildPod, type BuildPod } from '../build-pod/build-pod.ts';
import type { ClusterObject, ListedObject } from '../../shared/kubernetes/cluster.ts';
import { serviceAccountOf, tagsOf } from '../config/config-source.ts';

/** What `explain` is asked about, as the planner looks at it. */
export interface Subject {
  /** The pod that is there, or the one that kpack would make. Undefined: none of kpack's. */
  readonly pod: BuildPod | undefined;
  /** The Build of a pod that is not there yet. */
  readonly build?: ClusterObject;
  /** The Image that is asked about. */
  readonly image?: ClusterObject;
}

/** What of a Build brings Secrets into its pod, in either version of kpack's API. */
const REACHING = ['services', 'cnbBindings', 'bindings', 'env'] as const;

/** Of what the API server has not given one yet: an object that is to be made, or a manifest. */
const NO_UID = 'none yet';

/** The build pod that an object is, or leads to. */
export function subjectOf(object: ListedObject): Subject {
  switch (object.kind) {
    case 'Pod':
      return { pod: readBuildPod(object) };
    case 'Build': {
      const build = withUid(object);
      return { pod: nextPod(build, object), build };
    }
    case 'Image': {
      const image = withUid(object);
      const build = nextBuild(image);
      return { pod: nextPod(build, object), build, image };
    }
  }
}

function withUid(object: ListedObject): ListedObject {
  return { ...object, metadata: { ...object.metadata, uid: object.metadata.uid ?? NO_UID } };
}

/** The Build that kpack would make of an Image, as far as one is read: a copy of what it says. */
function nextBuild(image: ListedObject): ClusterObject & { readonly apiVersion: string } {
  const { apiVersion, metadata } = image;
  const { name = '', uid = '', annotations } = metadata;
  const spec = (image.spec as ClusterObject['spec'] | null) ?? {};
  const build = (spec['build'] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    apiVersion,
    metadata: {
      name: `${name}-build-next`,
      uid: NO_UID,
      ...(annotations && { annotations }),
      ownerReferences: [{ apiVersion, kind: 'Image', name, uid, controller: true }],
    },
    spec: {
      notary: spec['notary'],
      tags: tagsOf('Image', image),
      ...Object.fromEntries(REACHING.map((member) => [member, build[member]])),
    },
  };
}

/** A pod as kpack makes it for a Build, as far as a plan depends on it. */
function nextPod(
  build: ClusterObject & { readonly apiVersion: string },
  object: ListedObject,
): BuildPod | undefined {
  const { name = '', uid = '' } = build.metadata;
  return readBuildPod({
    kind: 'Pod',
    metadata: {
      name: `${name}-build-pod`,
      labels: { [BUILD_LABEL]: name },
      ownerReferences: [
        { apiVersion: build.apiVersion, kind: 'Build', name, uid, controller: true },
      ],
    },
    spec: {
      serviceAccountName: serviceAccountOf(object),
      volumes: boundSecrets(build.spec),
      initContainers: [
        { name: 'prepare', env: listOf(build.spec?.['env']) },
        { name: 'export', command: ['/cnb/lifecycle/exporter'] },
      ],
      containers: [{ name: 'completion' }],
    },
  });
}

/** The volumes of Secrets that a Build binds by name; what other services lead to, kpack finds out. */
function boundSecrets(spec: ClusterObject['spec'] = {}): readonly object[] {
  const services = listOf(spec['services'])
    .filter(({ kind }) => kind === 'Secret')
    .map(({ name }) => ({ name: `binding-${text(name)}`, secret: { secretName: name } }));
  const bindings = [...listOf(spec['cnbBindings']), ...listOf(spec['bindings'])]
    .filter(({ secretRef }) => secretRef !== undefined)
    .map(({ name, secretRef }) => ({
      name: `binding-secret-${text(name)}`,
      secret: { secretName: (secretRef as { name?: unknown } | null)?.name },
    }));
  return [...services, ...bindings];
}

/** The objects of a list that anybody may have written. */
function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  const isObject = (item: unknown) => typeof item === 'object' && item !== null;
  return Array.isArray(value)
    ? (value.filter(isObject) as Readonly<Record<string, unknown>>[])
    : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
