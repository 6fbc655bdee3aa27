/** What would steer our signer, show its key to others, or have something else signed. */
import fc from 'fast-check';
import type { Operation } from 'fast-json-patch';
import type { PodManifest } from '../../../support/build-fixture.ts';
import { allContainers, SIGNER, TOKEN_PATH } from '../../../support/pod.ts';
import {
  addContainer,
  addMount,
  addVariable,
  addVolume,
  has,
  located,
  ours,
  others,
  type Harm,
  type Located,
  type PodPatch,
} from './pod-patches.ts';

const isExport = (name: string) => name === 'export' || name === 'rebase';

/** Runs the command of a container by a program of one's own. */
const wrapped = ([path, { command = [] }]: Located): Operation[] => [
  { op: 'add', path: `${path}/command`, value: ['/wrapper', ...command] },
];

const isMounted = (pod: PodManifest, volume: string) =>
  ours(pod).some(([, { volumeMounts }]) => has(volumeMounts, volume));

/** What must not pass, each with the answer that it gets and what that is to name. */
const HARMS: readonly (Harm & {
  readonly answer: (pod: PodManifest, pick: number) => readonly Operation[];
})[] = [
  ...['NODE_OPTIONS', 'LD_PRELOAD', 'PATH', 'KPACK_NOTARY_NOTARY_URL'].map((name) => ({
    verdict: '422 SIGNER_TAMPERED',
    names: name,
    answer: (pod: PodManifest, pick: number) =>
      ours(pod).map((each) => addVariable(each, { name, value: 'x' }, pick)),
  })),
  {
    verdict: '422 SIGNER_TAMPERED',
    names: 'all-of-them',
    answer: (pod) =>
      ours(pod).map(([path]) => ({
        op: 'add',
        path: `${path}/envFrom`,
        value: [{ configMapRef: { name: 'all-of-them' } }],
      })),
  },
  ...['/var/notary-sign/key/extra', '/app', TOKEN_PATH + '/x'].map((mountPath) => ({
    verdict: '422 SIGNER_TAMPERED',
    names: mountPath,
    answer: (pod: PodManifest, pick: number) =>
      ours(pod).map((each) => addMount(each, { name: 'layers-dir', mountPath }, pick)),
  })),
  {
    verdict: '422 SIGNER_TAMPERED',
    names: 'root',
    answer: (pod) =>
      ours(pod).map(([path]) => ({
        op: 'add',
        path: `${path}/securityContext/runAsUser`,
        value: 0,
      })),
  },
  {
    verdict: '422 SIGNER_TAMPERED',
    names: 'image',
    answer: (pod) =>
      ours(pod).map(([path]) => ({ op: 'add', path: `${path}/image`, value: 'other' })),
  },
  {
    verdict: '422 SIGNER_TAMPERED',
    names: 'args',
    answer: (pod) =>
      ours(pod).map(([path, { args = [] }]) => ({
        op: 'add',
        path: `${path}/args`,
        value: [...args, '--deadline=1'],
      })),
  },
  {
    verdict: '422 SIGNER_TAMPERED',
    names: 'command',
    answer: (pod) => ours(pod).flatMap(wrapped),
  },
  {
    verdict: '422 SIGNER_TAMPERED',
    names: 'stands before',
    answer: ({ spec: { initContainers = [] } }) => {
      const from = initContainers.findIndex(({ name }) => name === SIGNER);
      return from < 0
        ? []
        : [{ op: 'move', from: `/spec/initContainers/${from}`, path: '/spec/initContainers/0' }];
    },
  },
  {
    verdict: '503 SIGNER_DIFFERS',
    names: SIGNER,
    answer: (pod, pick) =>
      ours(pod).length > 0
        ? []
        : [
            addContainer(
              pod,
              'containers',
              { name: SIGNER, image: 'other', securityContext: {} },
              pick,
            ),
          ],
  },
  {
    verdict: '422 POD_COLLISION',
    names: 'notary-sign-key',
    answer: (pod, pick) =>
      ours(pod).length > 0 || has(pod.spec.volumes, 'notary-sign-key')
        ? []
        : [addVolume(pod, { name: 'notary-sign-key', emptyDir: {} }, pick)],
  },
  ...['notary-sign-key', 'notary-sign-v2-key'].map((name) => ({
    verdict: '422 SECRET_EXPOSED',
    names: name,
    answer: (pod: PodManifest, pick: number) =>
      others(pod)
        .filter((_, i, all) => isMounted(pod, name) && i === pick % all.length)
        .map((each) => addMount(each, { name, mountPath: '/stolen' }, pick)),
  })),
  {
    verdict: '422 SECRET_EXPOSED',
    names: 'stolen',
    answer: (pod, pick) =>
      isMounted(pod, 'notary-sign-v2-key') && !has(pod.spec.volumes, 'stolen')
        ? [addVolume(pod, { name: 'stolen', secret: { secretName: 'notary-v2-signing' } }, pick)]
        : [],
  },
  ...[
    { secret: { secretName: 'notary-signing' } },
    { projected: { sources: [{ secret: { name: 'notary-signing' } }] } },
    { csi: { driver: 'x', nodePublishSecretRef: { name: 'notary-signing' } } },
    { hostPath: { path: '/var/lib/kubelet/pods' } },
  ].map((source) => ({
    verdict: '422 SECRET_EXPOSED',
    names: 'stolen',
    answer: (pod: PodManifest, pick: number) =>
      has(pod.spec.volumes, 'stolen') ? [] : [addVolume(pod, { name: 'stolen', ...source }, pick)],
  })),
  {
    verdict: '422 SECRET_EXPOSED',
    names: 'takes variables',
    answer: (pod, pick) => {
      const secretKeyRef = { name: 'notary-signing', key: 'password' };
      return others(pod)
        .filter((_, i, all) => i === pick % all.length)
        .map((each) => addVariable(each, { name: 'STOLEN', valueFrom: { secretKeyRef } }, pick));
    },
  },
  ...['shareProcessNamespace', 'hostPID'].map((name) => ({
    verdict: '422 SECRET_EXPOSED',
    names: name,
    answer: (): Operation[] => [{ op: 'add', path: `/spec/${name}`, value: true }],
  })),
  {
    verdict: '422 POD_UNSUPPORTED',
    names: 'no export or rebase step before completion',
    answer: (pod) =>
      located(pod)
        .filter(([, { name }]) => name === 'completion')
        .map(([path]) => ({ op: 'add', path: `${path}/name`, value: 'completed' })),
  },
  {
    verdict: '422 POD_UNSUPPORTED',
    names: '/wrapper',
    answer: (pod) =>
      located(pod)
        .filter(([, { name, command }]) => isExport(name) && command?.[0] !== '/wrapper')
        .flatMap(wrapped),
  },
  ...['export', 'rebase'].map((name) => ({
    verdict: '422 POD_UNSUPPORTED',
    names: `${name} would push an image`,
    answer: (pod: PodManifest) =>
      has(allContainers(pod), name)
        ? []
        : [addContainer(pod, 'containers', { name, image: 'other' }, pod.spec.containers.length)],
  })),
];

/** What would steer our signer, or show its key to others. */
export const harmfulPatches: fc.Arbitrary<PodPatch> = fc
  .tuple(fc.nat(HARMS.length - 1), fc.nat(40))
  .map(([i, pick]) => {
    const { answer, ...harm } = HARMS[i] as (typeof HARMS)[number];
    return { what: { ...harm, pick }, harm, answer: (pod) => answer(pod, pick) };
  });
