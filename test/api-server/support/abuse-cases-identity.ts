/** Pretending to be kpack, a Build or an Image. */
import { KPACK_USER } from '../../bed/webhook.ts';
import { demand, type KubeClient } from '../../bed/kube-client.ts';
import type { Manifest, PodManifest } from '../../support/build-fixture.ts';
import { MALLORY, postedPodCase, refused, type Abuse, type Stage } from './abuse-case.ts';

const noController = { left: /no kpack Build as its controller/ };
const notOfABuild = refused('OWNER_NOT_BUILD', /no Build of kpack.io is its controller/);
const unproven = (words: RegExp) => refused('OWNER_UNPROVEN', words, 503);

function own(pod: PodManifest, change: Readonly<Record<string, unknown>>): void {
  for (const owner of pod.metadata.ownerReferences ?? []) Object.assign(owner, change);
}

/** Gives the Build another owner. */
async function ownBuild({ cluster, build }: Stage, change: (owner: object) => void): Promise<void> {
  const { ownerReferences = [] } = build.metadata as PodManifest['metadata'];
  ownerReferences.forEach(change);
  demand(await cluster.api.patch(build, { metadata: { ownerReferences } }));
}

/** Stores a Build like this one in another namespace. */
async function uidElsewhere(api: KubeClient, build: Manifest, name: string) {
  const metadata: Manifest['metadata'] = { name, namespace: 'default' };
  return demand(await api.apply<Manifest>({ ...build, metadata })).metadata.uid;
}

/** A namespace that signing never reaches, with the label nevertheless. */
const untouched = (namespace: string): Abuse => ({
  name: `a Build in ${namespace}, labelled to be signed`,
  play: async ({ cluster, ...stage }) => {
    const labels = { 'notary.kpack.io/signing': 'enabled' };
    const reference = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    demand(await cluster.api.patch(reference, { metadata: { labels } }));
    const { image, build, pod } = stage;
    const account = { secrets: [], serviceAccount: serviceAccount(pod) };
    const stored = await cluster.store({ image, build, pod, ...account }, namespace);
    return cluster.post(stored.pod);
  },
  ends: { left: /^$/ },
});

function serviceAccount({ spec }: PodManifest) {
  const name = spec.serviceAccountName ?? 'default';
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } };
}

export const IDENTITY_CASES: readonly Abuse[] = [
  postedPodCase(
    "a stranger's pod with kpack's label",
    (pod) => delete pod.metadata.ownerReferences,
    noController,
    MALLORY,
  ),
  postedPodCase(
    "a stranger's pod that says that it is signed",
    (pod) => {
      delete pod.metadata.ownerReferences;
      pod.metadata.annotations = { 'notary.kpack.io/injected': '1' };
    },
    noController,
    MALLORY,
  ),
  postedPodCase(
    "kpack's own pod with the label alone",
    (pod) => delete pod.metadata.ownerReferences,
    notOfABuild,
  ),
  postedPodCase(
    'an owner of a group that looks like ours',
    (pod) => own(pod, { apiVersion: 'kpack.io.example.com/v1alpha2' }),
    notOfABuild,
  ),
  postedPodCase(
    'an owner of the group of old',
    (pod) => own(pod, { apiVersion: 'build.pivotal.io/v1alpha1' }),
    notOfABuild,
  ),
  postedPodCase(
    'an owner whose version leads elsewhere',
    (pod) => own(pod, { apiVersion: 'kpack.io/v1alpha2?x=y' }),
    notOfABuild,
  ),
  postedPodCase('an owner of another kind', (pod) => own(pod, { kind: 'Image' }), notOfABuild),
  postedPodCase(
    'a Build that owns and does not control',
    (pod) => own(pod, { controller: false }),
    notOfABuild,
  ),
  postedPodCase(
    'a Build under a UID that it does not have',
    (pod) => own(pod, { uid: '00000000-0000-4000-8000-000000000000' }),
    unproven(/Build app-build-1 has another UID/),
  ),
  postedPodCase(
    'a Build that does not exist',
    (pod) => own(pod, { name: 'no-such-build' }),
    unproven(/Build no-such-build does not exist/),
  ),
  postedPodCase(
    'a Build of another namespace, which is not here',
    async (pod, { cluster, build }) => {
      own(pod, { name: 'elsewhere', uid: await uidElsewhere(cluster.api, build, 'elsewhere') });
    },
    unproven(/Build elsewhere does not exist/),
  ),
  postedPodCase(
    'a Build of another namespace, with a namesake here',
    async (pod, { cluster, build }) => {
      own(pod, { uid: await uidElsewhere(cluster.api, build, build.metadata.name) });
    },
    unproven(/has another UID/),
  ),
  postedPodCase(
    'a Build that says it is of an Image, under another UID',
    (_, stage) => ownBuild(stage, (owner) => Object.assign(owner, { uid: 'forged' })),
    unproven(/Image app has another UID/),
  ),
  postedPodCase(
    'a Build that says it is of an Image that is not there',
    (_, stage) => ownBuild(stage, (owner) => Object.assign(owner, { name: 'gone' })),
    unproven(/Image gone does not exist/),
  ),
  postedPodCase(
    'a Build without an Image, which is no abuse',
    async (_, { cluster, build }) =>
      demand(await cluster.api.patch(build, { metadata: { ownerReferences: null } })),
    { signed: { 'on-failure': ['fail'] } },
  ),
  postedPodCase(
    'a real Build with a pod that somebody else posts',
    () => undefined,
    refused('REQUESTER_NOT_KPACK', /mallory posted a pod of Build app-build-1; --kpack-user is/),
    MALLORY,
  ),
  postedPodCase(
    "a real Build with a pod that the admins' group posts",
    () => undefined,
    refused('REQUESTER_NOT_KPACK', /system:admin posted/),
    { as: 'system:admin', groups: ['system:masters'] },
  ),
  postedPodCase(
    "a service account of kpack's name in another namespace",
    () => undefined,
    refused('REQUESTER_NOT_KPACK', /system:serviceaccount:kpack-too:controller posted/),
    { as: KPACK_USER.replace(':kpack:', ':kpack-too:'), groups: ['system:masters'] },
  ),
  postedPodCase(
    "another service account of kpack's namespace",
    () => undefined,
    refused('REQUESTER_NOT_KPACK', /system:serviceaccount:kpack:default posted/),
    { as: KPACK_USER.replace(':controller', ':default'), groups: ['system:masters'] },
  ),
  ...['kube-system', 'kube-public', 'kpack-notary'].map(untouched),
];
