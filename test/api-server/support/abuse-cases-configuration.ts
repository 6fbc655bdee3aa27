/** What people may write about signing to get more than they may have. */
import { demand } from '../../bed/kube-client.ts';
import {
  ADMIN,
  ADMIN_V2,
  type BuildFixture,
  OTHER_PIN,
  P,
  PIN,
  URL,
} from '../../support/build-fixture.ts';
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
  ...(
    [
      ['as the key of v1', ADMIN_V2, { ...ADMIN, [`${P}v1.secretRef`]: 'admin-v2-key' }],
      ["as the key of v2, the Namespace's key of v1", ADMIN, { [`${P}v2.secretRef`]: 'admin-key' }],
      ['as the CA of the registry', ADMIN_V2, { [`${P}v2.registryCaSecretRef`]: 'admin-v2-key' }],
    ] as const
  ).map(([use, admin, annotations]) =>
    builds(`the admin's v2 key, ${use}`, {
      admin,
      isMissed: true,
      prepare: says(annotations),
      ends: invalid(/holds a signing key of the Namespace/),
    }),
  ),
  builds("the admin's v2 key with another timestamp server", {
    admin: ADMIN_V2,
    isMissed: true,
    prepare: says({ ...ADMIN_V2, [`${P}v2.timestampUrl`]: 'https://evil.example.com' }),
    ends: invalid(/expected "https:\/\/timestamp.admin.example.com", as the Namespace/),
  }),
  builds('a v2 key without the timestamp that the Namespace asks for', {
    admin: ADMIN_V2,
    isMissed: true,
    prepare: says({ [`${P}v2.secretRef`]: 'own-v2-key' }),
    ends: invalid(/since the Namespace \S+ asks for timestamps/),
  }),
  builds('an Image that says nothing of v2, which the Namespace asks for', {
    admin: { ...ADMIN_V2, [`${P}v2.on-failure`]: 'fail' },
    ends: {
      signed: {
        'v2-key-dir': ['/var/notary-sign/v2-key'],
        'v2-timestamp-url': ['https://timestamp.admin.example.com'],
        'v2-on-failure': ['fail'],
      },
    },
  }),
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
    ['injected', 'skipped'].map((annotation) => reserved(kind, annotation)),
  ),
  ...['injected', 'skipped', 'v1.url', 'v2.secretRef', 'signing', 'on-failure'].map((annotation) =>
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
