/** Rules that a cluster may have for pods. */
import { parseQuantity } from '../../src/webhook/injection/quantity.ts';
import type { PodManifest } from './build-fixture.ts';
import type { Container } from './pod.ts';

/**
 * The Pod Security Standard `restricted` (v1.36) for one container, the context of its pod taken
 * into account, and for the volumes that it mounts.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export function restrictedViolations({ spec }: PodManifest, container: Container): string[] {
  const pod = spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const { add = [], drop = [] } = own.capabilities ?? {};
  const seLinux = [pod.seLinuxOptions, own.seLinuxOptions];
  const appArmor = [pod.appArmorProfile, own.appArmorProfile];
  const seccomp = (own.seccompProfile ?? pod.seccompProfile)?.type ?? '';
  const hooks = [
    container.livenessProbe,
    container.readinessProbe,
    container.startupProbe,
    container.lifecycle?.postStart,
    container.lifecycle?.preStop,
  ];
  const types = (spec.volumes ?? [])
    .filter(({ name }) => container.volumeMounts?.some((mount) => mount.name === name))
    .flatMap((volume) => Object.keys(volume).filter((key) => key !== 'name'));
  const rules: Record<string, boolean> = {
    privileged: own.privileged !== true,
    'host process': !(own.windowsOptions?.hostProcess ?? pod.windowsOptions?.hostProcess ?? false),
    'host namespaces': !spec.hostNetwork && !spec.hostPID && !spec.hostIPC,
    capabilities: drop.includes('ALL') && add.every((name) => name === 'NET_BIND_SERVICE'),
    'host ports': (container.ports ?? []).every(({ hostPort }) => !hostPort),
    'hosts of probes': hooks.every((hook) => !hook?.httpGet?.host && !hook?.tcpSocket?.host),
    AppArmor: appArmor.every((it) => !it || ['RuntimeDefault', 'Localhost'].includes(it.type)),
    SELinux: seLinux.every(
      (it) =>
        !it?.user &&
        !it?.role &&
        ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'].includes(
          it?.type ?? '',
        ),
    ),
    '/proc': own.procMount === undefined || own.procMount === 'Default',
    seccomp: ['RuntimeDefault', 'Localhost'].includes(seccomp),
    'privilege escalation': own.allowPrivilegeEscalation === false,
    'non-root': (own.runAsNonRoot ?? pod.runAsNonRoot) === true,
    user: (own.runAsUser ?? pod.runAsUser) !== 0,
    volumes: types.every((type) =>
      [
        'configMap',
        'csi',
        'downwardAPI',
        'emptyDir',
        'ephemeral',
        'persistentVolumeClaim',
        'projected',
        'secret',
      ].includes(type),
    ),
  };
  return Object.entries(rules).flatMap(([rule, isKept]) => (isKept ? [] : [rule]));
}

/** What speaks against a container in a namespace with a ResourceQuota; CPU needs no limit. */
export function resourceProblems({ resources }: Container): string[] {
  return ['cpu', 'memory'].flatMap((name) => {
    const request = parseQuantity(resources?.requests?.[name] ?? '') ?? 0;
    const otherwise = name === 'cpu' ? Infinity : 0;
    const limit = parseQuantity(resources?.limits?.[name] ?? '') ?? otherwise;
    return request > 0 && limit >= request ? [] : [`${name}: ${request} of ${limit}`];
  });
}
