/** Taking our names, paths and places, and posing as the steps of a build. */
import type { PodManifest } from '../../support/build-fixture.ts';
import { brought, postedPodCase, refused, type Abuse, type Ending } from './abuse-case.ts';
import { container, initContainers, SIGNER, volume, type Container } from '../../support/pod.ts';

const evil = (): Container => ({ name: SIGNER, image: 'registry.example.com/evil' });

const differs = (words: RegExp): Ending => refused('SIGNER_DIFFERS', words, 503);
const tampered = (words: RegExp): Ending => refused('SIGNER_TAMPERED', words);
const unsupported = (words: RegExp): Ending => refused('POD_UNSUPPORTED', words);
const volumeCollision = (name: string): Ending =>
  refused('POD_COLLISION', new RegExp(`a volume named ${name}`));

function addVolume({ spec }: PodManifest, name: string, content: object): void {
  (spec.volumes ??= []).push({ name, ...content });
}

const mountOver = (path: string): Abuse =>
  brought(
    `a mount of ours at ${path}`,
    (pod) => {
      const signer = container(pod, SIGNER);
      (signer.volumeMounts ??= []).push({ name: 'workspace-dir', mountPath: path });
    },
    tampered(/has a mount over its own at/),
  );

const variable = (name: string): Abuse =>
  brought(
    `the variable ${name} for our container`,
    (pod) => (container(pod, SIGNER).env = [{ name, value: 'x' }]),
    tampered(new RegExp(`has been given the variable ${name}`)),
  );

export const COLLISION_CASES: readonly Abuse[] = [
  postedPodCase(
    'an init container of our name',
    (pod) => pod.spec.initContainers?.push(evil()),
    differs(/notary-sign\.\w+ has been changed/),
  ),
  postedPodCase(
    'a standard container of our name',
    (pod) => pod.spec.containers.push(evil()),
    differs(/in another place/),
  ),
  brought(
    'ours, and another of our name',
    (pod) => pod.spec.containers.push(evil()),
    tampered(/in another place/),
  ),
  postedPodCase(
    'another volume under the name of our key volume',
    (pod) => addVolume(pod, 'notary-sign-key', { emptyDir: {} }),
    volumeCollision('notary-sign-key'),
  ),
  postedPodCase(
    'a Secret in place of the volume that keeps the token away',
    (pod) => addVolume(pod, 'notary-sign-no-token', { secret: { secretName: 'other' } }),
    volumeCollision('notary-sign-no-token'),
  ),
  mountOver('/var/notary-sign/key/root.key'),
  mountOver('/app'),
  mountOver('/usr/../app/signer.cjs'),
  mountOver('/etc/ld.so.preload'),
  brought(
    'our container without a mount of ours',
    (pod) => container(pod, SIGNER).volumeMounts?.splice(0, 1),
    tampered(/has lost its mount \/var\/report/),
  ),
  variable('NODE_OPTIONS'),
  variable('LD_PRELOAD'),
  variable('KPACK_NOTARY_ALLOW_TAG'),
  brought(
    'the variables of a ConfigMap for our container',
    (pod) => (container(pod, SIGNER).envFrom = [{ configMapRef: { name: 'developer' } }]),
    tampered(/has been given all variables of developer/),
  ),
  brought(
    'our container with another image',
    (pod) => (container(pod, SIGNER).image = 'registry.example.com/evil'),
    tampered(/notary-sign\.image has been changed/),
  ),
  brought(
    'our container with a tag more to sign',
    (pod) => container(pod, SIGNER).args?.push('--allow-tag=registry.example.com/other/app'),
    tampered(/notary-sign\.args\.\d+ has been changed/),
  ),
  brought(
    'our container without what confines it',
    (pod) => (container(pod, SIGNER).securityContext = { runAsUser: 0 }),
    tampered(/notary-sign\.securityContext/),
  ),
  ...Object.entries({
    privileges: { privileged: true },
    'an unmasked /proc': { procMount: 'Unmasked' },
    'any system call': { seccompProfile: { type: 'Unconfined' } },
    'a capability': { capabilities: { add: ['SYS_PTRACE'], drop: ['ALL'] } },
    'no AppArmor': { appArmorProfile: { type: 'Unconfined' } },
    'the SELinux type of the privileged': { seLinuxOptions: { type: 'spc_t' } },
  }).map(([what, context]) =>
    brought(
      `our container with ${what}`,
      (pod) => {
        pod.spec.hostUsers = false;
        const own = container(pod, SIGNER).securityContext ?? {};
        // The API server would refuse the two together by itself.
        const isFree = 'privileged' in context || 'capabilities' in context;
        Object.assign(own, context, isFree && { allowPrivilegeEscalation: true });
      },
      tampered(/notary-sign\.securityContext\.\w+/),
    ),
  ),
  brought(
    'our container without a word of why it failed',
    (pod) => (container(pod, SIGNER).terminationMessagePolicy = 'File'),
    tampered(/notary-sign\.terminationMessagePolicy has been changed/),
  ),
  brought(
    'our container as root',
    (pod) => Object.assign(container(pod, SIGNER).securityContext ?? {}, { runAsUser: 0 }),
    tampered(/notary-sign is to run as root/),
  ),
  brought(
    'our container before the step that pushes',
    (pod) =>
      pod.spec.initContainers?.sort(
        (a, b) => Number(b.name === SIGNER) - Number(a.name === SIGNER),
      ),
    tampered(/notary-sign stands before export/),
  ),
  brought(
    'our container with another Secret under the name of the key volume',
    (pod) => (volume(pod, 'notary-sign-key').secret = { secretName: 'other' }),
    tampered(/notary-sign-key\.secret/),
  ),
  postedPodCase(
    'a step renamed to export',
    (pod) => {
      container(pod, 'export').name = 'exporting';
      container(pod, 'prepare').name = 'export';
    },
    unsupported(/container export does not run what kpack runs there, but \S*build-init/),
  ),
  postedPodCase(
    'two steps that push',
    (pod) =>
      pod.spec.initContainers?.push(
        Object.assign(structuredClone(container(pod, 'export')), { name: 'rebase' }),
      ),
    unsupported(/both export and rebase would push an image/),
  ),
  postedPodCase(
    'an export that runs something else',
    (pod) => (container(pod, 'export').command = ['/bin/sh', '-c', 'exit 0']),
    unsupported(/container export does not run what kpack runs there, but \/bin\/sh/),
  ),
  postedPodCase(
    'an export that nobody waits for',
    (pod) => (container(pod, 'export').restartPolicy = 'Always'),
    unsupported(/export has restartPolicy Always/),
  ),
  postedPodCase(
    'a build that goes on while its image is pushed and signed',
    (pod) => (container(pod, 'build').restartPolicy = 'Always'),
    unsupported(/build has restartPolicy Always/),
  ),
  postedPodCase(
    'a step after export that could change the report',
    (pod) => {
      const steps = initContainers(pod);
      pod.spec.initContainers = [
        ...steps.filter(({ name }) => name !== 'build'),
        ...steps.filter(({ name }) => name === 'build'),
      ];
    },
    unsupported(/build runs after export/),
  ),
  postedPodCase(
    'a pod without completion',
    (pod) => (container(pod, 'completion').name = 'completed'),
    unsupported(/no export or rebase step before completion/),
  ),
  postedPodCase(
    'a pod that says it is for Windows',
    (pod) => (pod.spec.nodeSelector = { 'kubernetes.io/os': 'windows' }),
    unsupported(/Windows builds cannot be signed/),
  ),
];
