/** What other webhooks may make of the signing container and its volumes, and what they may not. */
import type { PodManifest } from './build-fixture.ts';
import { container, initContainers, loosen, SIGNER, type Container } from './pod.ts';

/** A change of a pod that has its signing container. */
export type SignerChange = (signer: Container, pod: PodManifest) => void;

const own = ({ spec }: PodManifest) =>
  spec.volumes?.filter(({ name }) => name.startsWith('notary-sign-')) ?? [];
const mounts = ({ volumeMounts = [] }: Container) => volumeMounts;
/** Those that the webhook made; neighbours may have added others. */
const ownMounts = (signer: Container) =>
  mounts(signer).filter(({ name }) => name.startsWith('notary-sign-'));

/** Members that say what the API server fills in anyway, or nothing at all. */
const ALOUD: Readonly<Record<string, SignerChange>> = {
  'no standard input': (signer) => Object.assign(signer, { stdin: false, stdinOnce: false }),
  'no terminal': (signer) => Object.assign(signer, { tty: false }),
  'no working directory': (signer) => (signer.workingDir = ''),
  'no ports': (signer) => (signer.ports = []),
  'no devices': (signer) => (signer.volumeDevices = []),
  'no hooks': (signer) => (signer.lifecycle = {}),
  'the restart policy of the pod': (signer) => (signer.restartPolicy = 'Never'),
  'no rules for restarts': (signer) => Object.assign(signer, { restartPolicyRules: [] }),
  'no variables': (signer) => Object.assign(signer, { env: signer.env ?? [], envFrom: [] }),
  'the default file for last words': (signer) =>
    (signer.terminationMessagePath = '/dev/termination-log'),
  'no file for last words': (signer) => delete signer.terminationMessagePath,
  'a masked /proc': (signer) => loosen(signer, { procMount: 'Default' }),
  'no privileges, unsaid': (signer) => delete signer.securityContext?.privileged,
  'no capabilities added': (signer) => loosen(signer, { capabilities: { add: [], drop: ['ALL'] } }),
  'no options of SELinux': (signer) => loosen(signer, { seLinuxOptions: {} }),
  'no options of Windows': (signer) =>
    loosen(signer, { windowsOptions: { hostProcess: false, runAsUserName: '' } }),
  'mounts that nothing is passed on from': (signer) => {
    for (const mount of mounts(signer)) mount.mountPropagation = 'None';
  },
  'mounts of whole volumes': (signer) => {
    for (const mount of mounts(signer)) Object.assign(mount, { subPath: '', subPathExpr: '' });
  },
  'mounts that may be written below': (signer) => {
    for (const mount of ownMounts(signer)) mount.recursiveReadOnly = 'Disabled';
  },
  'Secrets that have to be there, with all keys': (_, pod) => {
    for (const { secret } of own(pod)) Object.assign(secret ?? {}, { optional: false, items: [] });
  },
  'directories on no medium': (_, pod) => {
    for (const { emptyDir } of own(pod)) if (emptyDir) emptyDir.medium = '';
  },
  'a directory of no kind': (_, pod) => {
    for (const each of own(pod)) if (each.emptyDir) delete each.emptyDir;
  },
  nulls: (signer) =>
    Object.assign(signer, { ports: null, livenessProbe: null, workingDir: null, stdin: null }),
};

/** What leaves the signing container less than it had. */
const CONFINED: Readonly<Record<string, SignerChange>> = {
  'directories of a size': (_, pod) => {
    for (const { emptyDir } of own(pod)) if (emptyDir) emptyDir.sizeLimit = '1Mi';
  },
  'mounts that are read-only below, where that can be': (signer) => {
    for (const mount of ownMounts(signer)) mount.recursiveReadOnly = 'IfPossible';
  },
  'mounts that are read-only below': (signer) => {
    for (const mount of ownMounts(signer)) mount.recursiveReadOnly = 'Enabled';
  },
  'a profile of the node for system calls': (signer) =>
    loosen(signer, { seccompProfile: { type: 'Localhost', localhostProfile: 'strict.json' } }),
  "the runtime's AppArmor": (signer) =>
    loosen(signer, { appArmorProfile: { type: 'RuntimeDefault' } }),
  "the node's AppArmor": (signer) =>
    loosen(signer, { appArmorProfile: { type: 'Localhost', localhostProfile: 'strict' } }),
  'a level of SELinux': (signer) => loosen(signer, { seLinuxOptions: { level: 's0:c1,c2' } }),
  'the SELinux type of containers': (signer) =>
    loosen(signer, { seLinuxOptions: { type: 'container_t', level: 's0:c1,c2' } }),
  'capabilities dropped by name': (signer) =>
    loosen(signer, { capabilities: { drop: ['KILL', 'ALL', 'MKNOD'] } }),
  'a user of its own': (signer) => loosen(signer, { runAsUser: 1_000_650_000 }),
  'files for all to read': (_, pod) => {
    for (const { secret } of own(pod)) if (secret) secret.defaultMode = 0o444;
  },
  'files for their owner to read': (_, pod) => {
    // Where there is an fsGroup, the kubelet lets it read them all the same.
    if (pod.spec.securityContext?.fsGroup === undefined) return;
    for (const { secret } of own(pod)) if (secret) secret.defaultMode = 0o400;
  },
};

/** What must not be refused. */
export const HARMLESS: Readonly<Record<string, SignerChange>> = { ...ALOUD, ...CONFINED };

/** What gives the signing container more, or has it do something else. */
export const WIDENING: Readonly<Record<string, SignerChange>> = {
  'another image': (signer) => (signer.image = 'registry.example.com/evil'),
  'another image beside its tag': (signer) =>
    (signer.image = `registry.example.com/evil:1@sha256:${'ab'.repeat(32)}`),
  'a command that wraps it': (signer) => signer.command?.unshift('/wrapper'),
  'an argument': (signer) => signer.args?.push('--dry-run'),
  'an empty argument': (signer) => signer.args?.push(''),
  'a working directory': (signer) => (signer.workingDir = '/workspace'),
  'a hook after its start': (signer) =>
    (signer.lifecycle = { postStart: { exec: { command: ['true'] } } }),
  'a probe': (signer) => (signer.startupProbe = { exec: { command: ['true'] } }),
  'a port of the node': (signer) => (signer.ports = [{ containerPort: 80, hostPort: 80 }]),
  'a device': (signer) => (signer.volumeDevices = [{ name: 'x', devicePath: '/dev/x' }]),
  'the life of a sidecar': (signer) => (signer.restartPolicy = 'Always'),
  'a second try': (signer) => (signer.restartPolicy = 'OnFailure'),
  'rules for restarts': (signer) =>
    Object.assign(signer, { restartPolicyRules: [{ action: 'Restart' }] }),
  'standard input': (signer) => (signer.stdin = true),
  'a terminal': (signer) => (signer.tty = true),
  'another file for last words': (signer) => (signer.terminationMessagePath = '/var/report/x'),
  'last words from the file alone': (signer) => delete signer.terminationMessagePolicy,
  privileges: (signer) => loosen(signer, { privileged: true }),
  'more privileges than its parent': (signer) => loosen(signer, { allowPrivilegeEscalation: true }),
  'more privileges than its parent, unsaid': (signer) =>
    delete signer.securityContext?.allowPrivilegeEscalation,
  'a writable root': (signer) => loosen(signer, { readOnlyRootFilesystem: false }),
  'a writable root, unsaid': (signer) => delete signer.securityContext?.readOnlyRootFilesystem,
  'any user': (signer) => loosen(signer, { runAsNonRoot: false }),
  'any user, unsaid': (signer) => delete signer.securityContext?.runAsNonRoot,
  'an unmasked /proc': (signer) => loosen(signer, { procMount: 'Unmasked' }),
  'any system call': (signer) => loosen(signer, { seccompProfile: { type: 'Unconfined' } }),
  'any system call, unsaid': (signer) => delete signer.securityContext?.seccompProfile,
  'no AppArmor': (signer) => loosen(signer, { appArmorProfile: { type: 'Unconfined' } }),
  'the SELinux type of the privileged': (signer) =>
    loosen(signer, { seLinuxOptions: { type: 'spc_t' } }),
  'a role of SELinux': (signer) => loosen(signer, { seLinuxOptions: { role: 'sysadm_r' } }),
  'a capability': (signer) =>
    loosen(signer, { capabilities: { add: ['SYS_PTRACE'], drop: ['ALL'] } }),
  'a capability kept': (signer) => loosen(signer, { capabilities: { drop: ['KILL'] } }),
  'capabilities, unsaid': (signer) => delete signer.securityContext?.capabilities,
  'the node, under Windows': (signer) => loosen(signer, { windowsOptions: { hostProcess: true } }),
  'a field of tomorrow': (signer) => Object.assign(signer, { futureField: 'x' }),
  'a right of tomorrow': (signer) => loosen(signer, { futureField: true } as object),
  'a mount that may be written to': (signer) => {
    for (const mount of ownMounts(signer)) mount.readOnly = false;
  },
  'a mount that sees what the node mounts': (signer) => {
    for (const mount of ownMounts(signer)) mount.mountPropagation = 'HostToContainer';
  },
  'a part of a volume': (signer) => {
    for (const mount of ownMounts(signer)) mount.subPath = 'x';
  },
  'a mount less': (signer) => {
    const { volumeMounts: list = [] } = signer;
    list.splice(
      list.findIndex(({ name }) => name === 'notary-sign-key'),
      1,
    );
  },
  'another Secret': (_, pod) => {
    for (const { secret } of own(pod)) if (secret) secret.secretName = 'other';
  },
  'a Secret that may be missing': (_, pod) => {
    for (const { secret } of own(pod)) if (secret) secret.optional = true;
  },
  'chosen keys of a Secret': (_, pod) => {
    for (const { secret } of own(pod)) if (secret) secret.items = [{ key: 'a', path: 'b' }];
  },
  'files that anybody may write': (_, pod) => {
    for (const { secret } of own(pod)) if (secret) secret.defaultMode = 0o666;
  },
  'files of the usual mode': (_, pod) => {
    for (const { secret } of own(pod)) if (secret) delete secret.defaultMode;
  },
  'a directory of the node': (_, pod) => {
    for (const each of own(pod)) {
      if (each.secret) continue;
      delete each.emptyDir;
      each.hostPath = { path: '/srv/x' };
    }
  },
  'a token': (_, pod) => {
    for (const each of own(pod)) {
      if (each.secret) continue;
      delete each.emptyDir;
      each.projected = { sources: [{ serviceAccountToken: { path: 'token' } }] };
    }
  },
  'a place before the step that pushes': (signer, pod) => {
    const steps = initContainers(pod);
    if (steps.includes(signer)) steps.unshift(...steps.splice(steps.indexOf(signer), 1));
    else steps.push(...pod.spec.containers.splice(pod.spec.containers.indexOf(signer), 1));
  },
};

/** Makes some changes of a pod, in place. */
export function changeSigner(pod: PodManifest, changes: readonly SignerChange[]): void {
  for (const change of changes) change(container(pod, SIGNER), pod);
}
