/** Ways to the signing Secret, for others than our container. */
import type { KubeOptions } from '../../bed/kube-client.ts';
import { ADMIN_V2, type PodManifest } from '../../support/build-fixture.ts';
import {
  admitted,
  brought,
  KEY_SECRET,
  postedPodCase,
  refused,
  type Abuse,
  type Ending,
} from './abuse-case.ts';
import { container } from '../../support/pod.ts';

const exposed = (words: RegExp): Ending => refused('SECRET_EXPOSED', words);
const EPHEMERAL: KubeOptions = { subresource: 'ephemeralcontainers' };

/** A volume that the build step mounts. */
const throughVolume = (kind: string, content: object): Abuse =>
  postedPodCase(
    `the key through ${kind}`,
    ({ spec }) => {
      (spec.volumes ??= []).push({ name: 'way', ...content });
      const mount = { name: 'way', mountPath: '/platform/bindings/way' };
      for (const { name, volumeMounts = [] } of spec.initContainers ?? []) {
        if (name === 'build') volumeMounts.push(mount);
      }
    },
    exposed(new RegExp(`volume way holds Secret ${KEY_SECRET}`)),
  );

const throughNode = (path: string): Abuse =>
  postedPodCase(
    `the key through the node's ${path}`,
    ({ spec }) => (spec.volumes ??= []).push({ name: 'node', hostPath: { path } }),
    exposed(/volume node is \S+ of the node, where all Secrets are/),
  );

const attached = (name: string, members: object, ends: Ending): Abuse =>
  admitted(
    name,
    ({ spec }) => (spec.ephemeralContainers = [{ name: 'debug', image: 'busybox', ...members }]),
    ends,
    EPHEMERAL,
  );

const throughEphemeral = (kind: string, members: object, words: RegExp): Abuse =>
  attached(`the key through an ephemeral container ${kind}`, members, exposed(words));

/** What decides what is signed, or when the build goes on. */
const mountedBy = (volume: string): Abuse => ({
  ...attached(
    `an ephemeral container that mounts ${volume}`,
    { volumeMounts: [{ name: volume, mountPath: '/x' }] },
    refused('POD_CHANGE_REFUSED', new RegExp(`debug mounts volume ${volume}, which decides`)),
  ),
  fixture: 'v0.17.2/07-standard-containers',
});

const VARIABLE = {
  env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: KEY_SECRET, key: 'root.key' } } }],
};
const VARIABLES = { envFrom: [{ secretRef: { name: KEY_SECRET } }] };

const throughVariables = (kind: string, step: string, members: object): Abuse =>
  postedPodCase(
    `the key through ${kind} of ${step}`,
    (pod) => Object.assign(container(pod, step), members),
    exposed(new RegExp(`container ${step} takes variables from Secret ${KEY_SECRET}`)),
  );

const setInPod = (member: keyof PodManifest['spec']): Abuse =>
  postedPodCase(
    `the key through ${member}`,
    ({ spec }) => Object.assign(spec, { [member]: true }),
    exposed(new RegExp(`${member} lets other containers reach the files of notary-sign`)),
  );

/** The same ways to the Namespace's v2 key, where the Image says nothing of it. */
const toV2Key = (abuse: Abuse): Abuse => ({ ...abuse, admin: ADMIN_V2 });
const V2_KEY = /admin-v2-key|notary-sign-v2-key/;
const V2_CASES = [
  postedPodCase(
    'the v2 key through a volume',
    ({ spec }) =>
      (spec.volumes ??= []).push({ name: 'way', secret: { secretName: 'admin-v2-key' } }),
    exposed(V2_KEY),
  ),
  postedPodCase(
    'the v2 key through a variable of the build',
    (pod) => (container(pod, 'build').envFrom = [{ secretRef: { name: 'admin-v2-key' } }]),
    exposed(V2_KEY),
  ),
  brought(
    'our v2 key volume in another container',
    (pod) =>
      container(pod, 'build').volumeMounts?.push({ name: 'notary-sign-v2-key', mountPath: '/x' }),
    exposed(V2_KEY),
  ),
  throughEphemeral(
    'that mounts our v2 key volume',
    { volumeMounts: [{ name: 'notary-sign-v2-key', mountPath: '/x' }] },
    V2_KEY,
  ),
].map(toV2Key);

export const SECRET_CASES: readonly Abuse[] = [
  ...V2_CASES,
  throughVolume('a volume of the Secret', { secret: { secretName: KEY_SECRET } }),
  throughVolume('a projected volume', {
    projected: { sources: [{ secret: { name: 'other' } }, { secret: { name: KEY_SECRET } }] },
  }),
  throughVolume('a service binding', {
    projected: { sources: [{ secret: { name: KEY_SECRET, items: [{ key: 'a', path: 'b' }] } }] },
  }),
  throughVolume('what a CSI driver publishes with', {
    csi: { driver: 'csi.example.com', nodePublishSecretRef: { name: KEY_SECRET } },
  }),
  throughVolume('an attribute of a CSI driver', {
    csi: { driver: 'csi.example.com', volumeAttributes: { secretName: KEY_SECRET } },
  }),
  throughVolume('a flexVolume', {
    flexVolume: { driver: 'example.com/x', secretRef: { name: KEY_SECRET } },
  }),
  throughVolume('an Azure file share', {
    azureFile: { secretName: KEY_SECRET, shareName: 'x' },
  }),
  throughVariables('a variable', 'build', VARIABLE),
  throughVariables('all variables', 'completion', VARIABLES),
  postedPodCase(
    'the key as a pull secret',
    ({ spec }) => (spec.imagePullSecrets = [{ name: KEY_SECRET }]),
    exposed(new RegExp(`imagePullSecrets has Secret ${KEY_SECRET}`)),
  ),
  postedPodCase(
    'the key under a name of ours that is free',
    ({ spec }) => {
      (spec.volumes ??= []).push({ name: 'notary-sign-x', secret: { secretName: KEY_SECRET } });
      spec.initContainers?.[0]?.volumeMounts?.push({ name: 'notary-sign-x', mountPath: '/x' });
    },
    exposed(/container prepare mounts volume notary-sign-x/),
  ),
  brought(
    'our key volume in another container',
    (pod) =>
      container(pod, 'build').volumeMounts?.push({ name: 'notary-sign-key', mountPath: '/x' }),
    exposed(/container build mounts volume notary-sign-key/),
  ),
  setInPod('shareProcessNamespace'),
  setInPod('hostPID'),
  ...[
    '/',
    '/proc',
    '/var/lib/kubelet/pods',
    '/data/k8s/kubelet',
    '/run/containerd/x',
    '/dev',
    '/dev/mem',
    '/etc',
    '/etc/kubernetes',
    '/mnt',
    '/sys',
    '/sys/fs/cgroup',
    '/var',
    '/run',
  ].map(throughNode),
  throughEphemeral(
    'that mounts our volume',
    { volumeMounts: [{ name: 'notary-sign-key', mountPath: '/x' }] },
    /ephemeral container debug mounts volume notary-sign-key/,
  ),
  throughEphemeral(
    'that targets ours',
    { targetContainerName: 'notary-sign' },
    /ephemeral container debug targets notary-sign/,
  ),
  ...['SYS_ADMIN', 'DAC_READ_SEARCH', 'CAP_SYS_MODULE'].map((capability) =>
    throughEphemeral(
      `with the capability ${capability}`,
      { securityContext: { capabilities: { add: [capability] } } },
      /ephemeral container debug has the capability \w+, and so reaches all that is on the node/,
    ),
  ),
  throughEphemeral(
    'that looks into the processes of a step',
    {
      targetContainerName: 'completion',
      securityContext: { capabilities: { add: ['SYS_PTRACE'] } },
    },
    /ephemeral container debug has the capability SYS_PTRACE, and sees/,
  ),
  {
    ...throughEphemeral(
      'with an unmasked /proc',
      { securityContext: { procMount: 'Unmasked' } },
      /ephemeral container debug has an unmasked \/proc/,
    ),
    // Or the API server would refuse it by itself.
    change: ({ spec }) => (spec.hostUsers = false),
  },
  mountedBy('report-dir'),
  mountedBy('build-wait-dir'),
  throughEphemeral('with a variable', VARIABLE, /ephemeral container debug takes variables/),
  throughEphemeral('with all variables', VARIABLES, /ephemeral container debug takes variables/),
];
