/** What people, and who posts as kpack, may write to break us. */
import { demand } from '../../bed/kube-client.ts';
import { invalid, MALLORY, postedPodCase, refused, written, type Abuse } from './abuse-case.ts';
import { allContainers } from '../../support/pod.ts';
import { P, URL } from '../../support/build-fixture.ts';

const section = (v1: unknown) => ({ notary: { v1 } });

const nested = (depth: number): unknown =>
  JSON.parse(`${'{"v1":'.repeat(depth)}1${'}'.repeat(depth)}`);

export const MALFORMED_CASES: readonly Abuse[] = [
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
    invalid(/found 3000 unknown annotations(?=.{1,6000}$)/s),
  ),
  written(
    'more annotations than Kubernetes takes',
    { annotations: { [`${P}v1.url`]: 'x'.repeat(300 * 1024) } },
    refused('', /Too long/),
  ),
  postedPodCase(
    'a build pod with labels like members of every object',
    ({ metadata }) => Object.assign(metadata.labels ?? {}, { constructor: 'x', toString: 'y' }),
    { signed: {} },
  ),
  postedPodCase(
    'a build pod with null in place of lists and objects',
    (pod) => {
      const none = { env: null, envFrom: null, ports: null, volumeDevices: null, resources: null };
      for (const each of allContainers(pod))
        Object.assign(each, { ...none, env: each.env ?? null });
      const lists = { imagePullSecrets: null, tolerations: null, ephemeralContainers: null };
      Object.assign(pod.spec, { ...lists, nodeSelector: null, affinity: null });
    },
    { signed: {} },
  ),
  postedPodCase(
    'a build pod with a label named __proto__',
    ({ metadata }) =>
      (metadata.labels =
        (JSON.parse('{"kpack.io/build":"x","__proto__":"y"}') as typeof metadata.labels) ?? {}),
    refused('', /metadata.labels: Invalid value: "__proto__"/),
  ),
  postedPodCase(
    'an annotation of the Image that makes its pod look like one of a kubelet',
    ({ metadata, spec }) => {
      delete spec.serviceAccountName;
      Object.assign((metadata.annotations ??= {}), { 'kubernetes.io/config.mirror': 'x' });
    },
    refused('', /mirror pod/, 403),
  ),
  ...['on', 'Enabled'].map((label): Abuse => ({
    name: `a Namespace with the label ${label}`,
    play: ({ cluster, namespace }) => {
      const metadata = { name: namespace };
      const change = { metadata: { labels: { [`${P}signing`]: label } } };
      return cluster.api.patch({ apiVersion: 'v1', kind: 'Namespace', metadata }, change, MALLORY);
    },
    ends: refused('NAMESPACE_LABEL_INVALID', /expected (enabled|one of)/),
  })),
  postedPodCase(
    'a malformed label that got in while we were away',
    (_, { cluster, namespace }) =>
      cluster.whileAway(async () => {
        const metadata = { name: namespace };
        const change = { metadata: { labels: { [`${P}signing`]: 'enabeld' } } };
        demand(await cluster.api.patch({ apiVersion: 'v1', kind: 'Namespace', metadata }, change));
      }),
    refused('NAMESPACE_LABEL_INVALID', /enabeld/),
  ),
];
