/** What people may write about signing to get more than they may have, or to break us. */
import { demand, type KubeObject } from '../bed/kube-client.ts';
import type { BuildFixture } from '../build-fixture.ts';
import { MALLORY, posted, refused, type Abuse, type Ending } from './abuse-case.ts';
import { OTHER_PIN, P, PIN, URL } from './world.ts';

const invalid = (words: RegExp): Ending => refused('NOTARY_CONFIG_INVALID', words);

/** The Image says this instead, and so does the Build that kpack made of it. */
const says =
  (annotations: Record<string, string>) =>
  ({ image, build }: BuildFixture): void => {
    for (const object of [image, build]) if (object) object.metadata.annotations = annotations;
  };

const builds = (name: string, abuse: Omit<Abuse, 'name' | 'play'>): Abuse => ({
  ...posted(name, () => undefined, abuse.ends),
  ...abuse,
});

/** A section, or annotations, that a developer writes on an Image. */
const written = (
  name: string,
  words: { notary?: unknown; annotations?: Record<string, string> },
  ends: Ending,
  admin: Record<string, string> = {},
): Abuse => ({
  name,
  admin,
  play: ({ scene, image, namespace }) => {
    const { notary, annotations = {} } = words;
    const metadata = { name: 'written', namespace, annotations };
    const spec = { ...image.spec, ...(notary !== undefined && { notary }) };
    return scene.api.create<KubeObject>({ ...image, metadata, spec } as KubeObject, MALLORY);
  },
  ends,
});

const section = (v1: unknown) => ({ notary: { v1 } });

/** Something that is no business of whoever writes it. */
const reserved = (kind: 'Image' | 'Build' | 'Namespace' | 'Pod', annotation: string): Abuse => ({
  name: `the annotation ${annotation} on a ${kind}`,
  play: async ({ scene, image, build, pod, namespace }) => {
    const space = { apiVersion: 'v1', kind, metadata: { name: namespace } };
    const target = { Image: image, Build: build, Namespace: space, Pod: pod }[kind];
    const change = { metadata: { annotations: { [P + annotation]: 'x' } } };
    if (kind !== 'Pod')
      return scene.api.patch<typeof space>(target as typeof space, change, MALLORY);
    Object.assign((pod.metadata.annotations ??= {}), change.metadata.annotations);
    return scene.post(pod);
  },
  ends:
    kind === 'Pod'
      ? { signed: { 'notary-url': [URL], 'on-failure': ['fail'] } }
      : invalid(/expected no such annotation/),
});

const nested = (depth: number): unknown =>
  JSON.parse(`${'{"v1":'.repeat(depth)}1${'}'.repeat(depth)}`);

export const CONFIGURATION_CASES: readonly Abuse[] = [
  builds("a developer's url with the admin's key", {
    admin: { [`${P}v1.url`]: 'https://admin.example.com', [`${P}v1.secretRef`]: 'admin-key' },
    isMissed: true,
    prepare: says({ [`${P}v1.url`]: 'https://evil.example.com' }),
    ends: invalid(/v1.secretRef/),
  }),
  written(
    "a developer's url with the admin's key, as it is written",
    { annotations: { [`${P}v1.url`]: 'https://evil.example.com' } },
    invalid(/v1.secretRef/),
    { [`${P}v1.url`]: 'https://admin.example.com', [`${P}v1.secretRef`]: 'admin-key' },
  ),
  builds("a pin that is not the Namespace's", {
    isMissed: true,
    admin: { [`${P}v1.rootPin`]: PIN },
    prepare: ({ image, build }) => {
      for (const object of [image, build]) {
        Object.assign(object?.metadata.annotations ?? {}, { [`${P}v1.rootPin`]: OTHER_PIN });
      }
    },
    ends: invalid(/expected one that the Namespace \S+ allows/),
  }),
  builds("a unit of one's own under the Namespace's pin", {
    admin: { [`${P}v1.rootPin`]: PIN },
    ends: { signed: { 'root-pin': [PIN] } },
  }),
  builds('a warning where the Namespace says fail', {
    admin: { [`${P}on-failure`]: 'fail' },
    prepare: ({ image, build }) => {
      for (const object of [image, build]) {
        Object.assign(object?.metadata.annotations ?? {}, { [`${P}on-failure`]: 'warn' });
      }
    },
    ends: { signed: { 'on-failure': ['fail'] } },
  }),
  ...(['Image', 'Build', 'Namespace'] as const).flatMap((kind) =>
    ['injected', 'skipped', 'v2.url'].map((annotation) => reserved(kind, annotation)),
  ),
  ...['injected', 'skipped', 'v1.url', 'signing', 'on-failure'].map((annotation) =>
    reserved('Pod', annotation),
  ),
  posted(
    'tags of a foreign repository in what the step pushes',
    ({ spec }) => spec.initContainers?.at(-1)?.args?.push('registry.example.com/foreign/app'),
    { signed: { 'notary-url': [URL] } },
  ),
  posted(
    'a Build without tags',
    async (_, { scene, build }) =>
      demand(await scene.api.patch(build, { spec: { tags: [] } }, MALLORY)),
    refused('POD_UNSUPPORTED', /Build app-build-1 has no tags/),
  ),
  written(
    'the Secret of another namespace by its path',
    { annotations: { [`${P}v1.url`]: URL, [`${P}v1.secretRef`]: 'kpack/notary-signing' } },
    invalid(/v1.secretRef/),
  ),
  written(
    'the Secret of another namespace by a member',
    section({ url: URL, secretRef: { name: 'notary-signing', namespace: 'kpack' } }),
    invalid(/secretRef.namespace/),
  ),
  written(
    'a url with a password, which nobody is shown',
    section({ url: 'https://me:hunter2@notary.example.com', secretRef: { name: 'x' } }),
    invalid(/spec.notary.v1.url of Image written: (?!.*hunter2)/),
  ),
  written(
    'a url with a flag on a second line',
    section({ url: `${URL}\n--on-failure=warn`, secretRef: { name: 'x' } }),
    invalid(/spec.notary.v1.url/),
  ),
  written('a section of 3,000 levels', { notary: nested(3_000) }, invalid(/spec.notary/)),
  written('a section that is a list', { notary: [[], {}] }, invalid(/spec.notary/)),
  written(
    'a member named __proto__',
    { notary: JSON.parse('{"v1":{"__proto__":{"url":"https://x.example.com"}}}') },
    invalid(/spec.notary.v1/),
  ),
  written(
    'members named like those of every object',
    { notary: { constructor: { prototype: {} }, toString: 'x' } },
    invalid(/spec.notary.(constructor|toString)/),
  ),
  written(
    'an annotation of ours named like a member of every object',
    { annotations: { [`${P}constructor`]: 'x' } },
    invalid(/annotations\[notary.kpack.io\/constructor\]/),
  ),
  written(
    'an annotation of 200 KiB',
    { annotations: { [`${P}v1.url`]: 'x'.repeat(200 * 1024) } },
    invalid(/^.{1,2000}$/s),
  ),
  written(
    'three thousand annotations of ours',
    {
      annotations: Object.fromEntries(
        Array.from({ length: 3_000 }, (_, i) => [`${P}unknown-${i}`, '']),
      ),
    },
    invalid(/^.{1,6000}and \d+ more like these/s),
  ),
  written(
    'more annotations than Kubernetes takes',
    { annotations: { [`${P}v1.url`]: 'x'.repeat(300 * 1024) } },
    refused('', /Too long/),
  ),
  posted(
    'a build pod with labels like members of every object',
    ({ metadata }) => Object.assign(metadata.labels ?? {}, { constructor: 'x', toString: 'y' }),
    { signed: {} },
  ),
  posted(
    'a build pod with a label named __proto__',
    ({ metadata }) =>
      (metadata.labels =
        (JSON.parse('{"kpack.io/build":"x","__proto__":"y"}') as typeof metadata.labels) ?? {}),
    refused('', /metadata.labels: Invalid value: "__proto__"/),
  ),
  posted(
    'an annotation of the Image that makes its pod look like one of a kubelet',
    ({ metadata, spec }) => {
      delete spec.serviceAccountName;
      Object.assign((metadata.annotations ??= {}), { 'kubernetes.io/config.mirror': 'x' });
    },
    refused('', /mirror pod/, 403),
  ),
  ...['on', 'Enabled'].map((label): Abuse => ({
    name: `a Namespace with the label ${label}`,
    play: ({ scene, namespace }) => {
      const metadata = { name: namespace };
      const change = { metadata: { labels: { [`${P}signing`]: label } } };
      return scene.api.patch({ apiVersion: 'v1', kind: 'Namespace', metadata }, change, MALLORY);
    },
    ends: refused('NAMESPACE_LABEL_INVALID', /expected (enabled|one of)/),
  })),
  posted(
    'a malformed label that got in while we were away',
    (_, { scene, namespace }) =>
      scene.whileAway(async () => {
        const metadata = { name: namespace };
        const change = { metadata: { labels: { [`${P}signing`]: 'enabeld' } } };
        demand(await scene.api.patch({ apiVersion: 'v1', kind: 'Namespace', metadata }, change));
      }),
    refused('NAMESPACE_LABEL_INVALID', /enabeld/),
  ),
];
