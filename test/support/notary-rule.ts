/** Rules for what people may write about signing: what breaks one, and what keeps it. */
import { type Manifest, P, section, signingNamespace, URL } from './build-fixture.ts';
import { memoryCluster } from './asking.ts';

/** What an object says about signing. */
export interface Words {
  /** `spec.notary`; Namespaces have none. */
  readonly notary?: unknown;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export type Written = 'Image' | 'Build' | 'Namespace';

export interface NotaryRule {
  readonly name: string;
  readonly why: string;
  readonly on: readonly Written[];
  readonly rejected: Words;
  readonly accepted: Words;
  /** What the refusal says: the field, and then some. */
  readonly tells: readonly [field: string, ...others: string[]];
  /** What the Namespace says by its annotations where such objects are written; nothing otherwise. */
  readonly admin?: Record<string, string>;
  readonly code: 'NOTARY_CONFIG_INVALID' | 'NAMESPACE_LABEL_INVALID';
}

export const EVERYWHERE: readonly Written[] = ['Image', 'Build', 'Namespace'];
export const IN_KPACK: readonly Written[] = ['Image', 'Build'];
export const ON_NAMESPACES: readonly Written[] = ['Namespace'];

export const rule = (
  on: readonly Written[],
  name: string,
  why: string,
  rejected: Words,
  accepted: Words,
  ...tells: NotaryRule['tells']
): NotaryRule => ({ name, why, on, rejected, accepted, tells, code: 'NOTARY_CONFIG_INVALID' });

export const WELL: Words = { notary: section() };
export const NOTHING: Words = {};
export const v1 = (members: unknown): Words => ({ notary: { v1: members } });
export const url = (text: unknown): Words => ({ notary: section(text) });
export const secretRef = (value: unknown): Words => ({ notary: section(URL, value) });
export const secretName = (name: unknown) => secretRef({ name });
/** Annotations, without the prefix; with url and Secret unless they are there already. */
export const annotated = (annotations: Record<string, string>): Words => ({
  annotations: Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [P + name, value]),
  ),
});
export const PAIR = { 'v1.url': URL, 'v1.secretRef': 'notary-signing' };
export const paired = (annotations: Record<string, string> = {}) =>
  annotated({ ...PAIR, ...annotations });
export const on = (annotation: string) => `metadata.annotations[${P}${annotation}]`;

export const URL_FIELD = 'spec.notary.v1.url';
export const SECRET_FIELD = 'spec.notary.v1.secretRef';
export const NAME_FIELD = `${SECRET_FIELD}.name`;

/** A cluster that holds the Namespace of a rule, if that matters. */
export function clusterOf({ admin }: NotaryRule) {
  return memoryCluster(admin ? [signingNamespace('enabled', admin)] : []);
}

/** Both versions of kpack's API, or the one of Namespaces. */
export function apiVersionsOf(kind: Written): readonly string[] {
  return kind === 'Namespace' ? ['v1'] : ['kpack.io/v1alpha1', 'kpack.io/v1alpha2'];
}

/** An object that says these words, and is otherwise as kpack wants it. */
export function objectThatSays(
  kind: Written,
  apiVersion: string,
  { notary, annotations, labels }: Words,
  name = kind === 'Namespace' ? 'apps' : 'app',
): Manifest {
  const metadata = { name, ...(annotations && { annotations }), ...(labels && { labels }) };
  if (kind === 'Namespace') return { apiVersion, kind, metadata };
  const account = apiVersion.endsWith('v1alpha1') ? 'serviceAccount' : 'serviceAccountName';
  const spec = {
    [account]: 'builder',
    ...(kind === 'Image'
      ? { tag: 'registry.example.com/team/app', builder: { kind: 'ClusterBuilder', name: 'base' } }
      : {
          tags: ['registry.example.com/team/app'],
          builder: { image: 'registry.example.com/base' },
        }),
    source: { git: { url: 'https://git.example.com/app', revision: 'main' } },
    ...(notary !== undefined && { notary }),
  };
  return { apiVersion, kind, metadata: { ...metadata, namespace: 'apps' }, spec };
}
