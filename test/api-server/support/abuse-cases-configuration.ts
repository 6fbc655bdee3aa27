/** What people may write about signing to get more than they may have. */
import { demand } from '../../bed/kube-client.ts';
import { ADMIN, type BuildFixture, OTHER_PIN, P, PIN, URL } from '../../support/build-fixture.ts';
import { invalid, MALLORY, postedPodCase, refused, written, type Abuse } from './abuse-case.ts';

/** The Image says this instead, and so does the Build that kpack made of it. */
const says =
  (annotations: Record<string, string>) =>
  ({ image, build }: BuildFixture): void => {
    for (const object of [image, build]) if (object) object.metadata.annotations = annotations;
  };

const builds = (name: string, abuse: Omit<Abuse, 'name' | 'play'>): Abuse => ({
  ...postedPodCase(name, () => undefined, abuse.ends),
  ...abuse,
});

/** Something that is no business of whoever writes it. */
const reserved = (kind: 'Image' | 'Build' | 'Namespace' | 'Pod', annotation: string): Abuse => ({
  name: `the annotation ${annotation} on a ${kind}`,
  play: async ({ cluster, image, build, pod, namespace }) => {
    const space = { apiVersion: 'v1', kind, metadata: { name: namespace } };
    const target = { Image: image, Build: build, Namespace: space, Pod: pod }[kind];
    const change = { metadata: { annotations: { [P + annotation]: 'x' } } };
    if (kind !== 'Pod')
      return cluster.api.patch<typeof space>(target as typeof space, change, MALLORY);
    Object.assign((pod.metadata.annotations ??= {}), change.metadata.annotations);
    return cluster.post(pod);
  },
  ends:
    kind === 'Pod'
      ? { signed: { 'notary-url': [URL], 'on-failure': ['fail'] } }
      : invalid(/expected no such annotation/),
});

export const CONFIGURATION_CASES: readonly Abuse[] = [
  builds("a developer's url with the admin's key", {
    admin: ADMIN,
    isMissed: true,
    prepare: says({ [`${P}v1.url`]: 'https://evil.example.com' }),
    ends: invalid(/v1.secretRef/),
  }),
  written(
    "a developer's url with the admin's key, as it is written",
    { annotations: { [`${P}v1.url`]: 'https://evil.example.com' } },
    invalid(/v1.secretRef/),
    ADMIN,
  ),
  builds("a developer's url with the admin's key, which the developer names", {
    admin: ADMIN,
    isMissed: true,
    prepare: says({ ...ADMIN, [`${P}v1.url`]: 'https://evil.example.com' }),
    ends: invalid(/expected "https:\/\/admin.example.com", as the Namespace/),
  }),
  written(
    "a developer's CA beside the admin's url and key, as it is written",
    { annotations: { ...ADMIN, [`${P}v1.caSecretRef`]: 'evil-ca' } },
    invalid(/v1.caSecretRef\] .* expected no such annotation, as the Namespace/),
    ADMIN,
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
  postedPodCase(
    'tags of a foreign repository in what the step pushes',
    ({ spec }) => spec.initContainers?.at(-1)?.args?.push('registry.example.com/foreign/app'),
    { signed: { 'notary-url': [URL] } },
  ),
  postedPodCase(
    'a Build without tags',
    async (_, { cluster, build }) =>
      demand(await cluster.api.patch(build, { spec: { tags: [] } }, MALLORY)),
    refused('POD_UNSUPPORTED', /Build app-build-1 has no tags/),
  ),
];
