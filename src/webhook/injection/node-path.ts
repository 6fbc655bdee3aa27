import { normalize } from 'node:path/posix';
import { isWithin } from './path-set.ts';

/**
 * Where nodes keep what is mounted in containers, what starts those, and the credentials of the
 * cluster. `/var/run` is `/run`.
 */
const NODE_DIRECTORIES = [
  '/etc/cni',
  '/etc/containerd',
  '/etc/crio',
  '/etc/docker',
  '/etc/rancher',
  '/etc/ssh',
  '/etc/systemd',
  '/opt/cni',
  '/proc',
  '/run/containerd',
  '/run/crio',
  '/run/docker',
  '/run/docker.sock',
  '/run/k0s',
  '/run/k3s',
  '/sys',
  '/var/lib/containerd',
  '/var/lib/containers',
  '/var/lib/docker',
  '/var/lib/etcd',
  '/var/lib/k0s',
  '/var/lib/kubelet',
  '/var/lib/minikube',
  '/var/lib/rancher',
  '/var/snap',
];
/** Directories of the kubelet, of Kubernetes and its users, and of private keys, wherever they are. */
const KEPT_CLOSED = /\/(?:\.kube|kubelet|kubernetes|private)(?:\/|$)/;
/** The whole of `/dev`, `/etc`, `/mnt` and the like: nobody knows what a node keeps below. */
const WHOLE_DIRECTORY = /^\/[^/]*$/;
/** Devices through which neither memory nor disks of the node can be read. */
const HARMLESS_DEVICES = [
  '/dev/full',
  '/dev/fuse',
  '/dev/kvm',
  '/dev/log',
  '/dev/net/tun',
  '/dev/null',
  '/dev/random',
  '/dev/shm',
  '/dev/urandom',
  '/dev/zero',
];

/**
 * Whether a container that mounts a path of its node could get to the Secrets of other containers:
 * it is, holds, or lies in, a directory that leads there. Single files and directories of CA
 * certificates (`/etc/localtime`, `/etc/ssl/certs`, `/etc/pki`) do not.
 */
export function leadsToSecrets(hostPath: string): boolean {
  const path = normalize(`/${hostPath}`)
    .replace(/(?<=.)\/$/, '')
    .replace(/^\/var\/run(?=\/|$)/, '/run');
  return (
    WHOLE_DIRECTORY.test(path) ||
    KEPT_CLOSED.test(path) ||
    NODE_DIRECTORIES.some((each) => isWithin(path, each) || isWithin(each, path)) ||
    (isWithin(path, '/dev') && !HARMLESS_DEVICES.some((each) => isWithin(path, each)))
  );
}
