/** Pods as they are before we change them, and as they become after it. */
import { changed, type PodManifest } from './build-fixture.ts';
import { allContainers, container, REPORT, SIGNER, TOKEN_PATH } from './pod.ts';

/** The pod without what we document that we add. */
export function withoutOurs(pod: PodManifest): PodManifest {
  return changed(pod, ({ metadata, spec }) => {
    spec.initContainers = spec.initContainers?.filter(({ name }) => name !== SIGNER) ?? [];
    spec.containers = spec.containers.filter(({ name }) => name !== SIGNER);
    spec.volumes = spec.volumes?.filter(({ name }) => !name.startsWith('notary-sign-')) ?? [];
    delete metadata.annotations?.['notary.kpack.io/injected'];
  });
}

/** The pod before the signing container is added: where completion waits for a file, for ours. */
export function waitingForOurs(pod: PodManifest): PodManifest {
  return changed(withoutKpackSigner(pod), (pod) => {
    const completion = container(pod, 'completion');
    const args = completion.args?.map((arg) =>
      arg.replace(/^-wait-file=.*$/, '-wait-file=/buildWait/notary-sign'),
    );
    if (args) completion.args = args;
    pod.metadata.annotations ??= {};
  });
}

/** The pod as kpack would have made it without a notary section. */
export function withoutKpackSigner(pod: PodManifest): PodManifest {
  return changed(pod, (pod) => {
    const completion = container(pod, 'completion');
    const args = completion.args
      ?.filter((arg) => !arg.startsWith('-notary-v1-url='))
      .map((arg) => arg.replace(/ -notary-v1-url=\S+/, ''));
    if (args) completion.args = args;
    pod.spec.volumes = (pod.spec.volumes ?? []).map((volume) => {
      if (volume.name !== 'notary-dir' || !volume.secret) return volume;
      const { secret, ...others } = volume;
      return { ...others, emptyDir: {} };
    });
  });
}

/** What defaulting, ServiceAccount, LimitRanger and AlwaysPullImages make of a pod after us. */
export function afterOtherPlugins(pod: PodManifest): PodManifest {
  const rewritten: Record<string, string> = { '1500m': '1.5', '1000m': '1', '2Gi': '2048Mi' };
  return changed(pod, ({ spec, ...pod }) => {
    Object.assign(pod.metadata, { creationTimestamp: null });
    Object.assign(spec, {
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
      priority: 0,
      schedulerName: 'default-scheduler',
      serviceAccount: spec.serviceAccountName,
      terminationGracePeriodSeconds: 30,
    });
    (spec.tolerations ??= []).push({ key: 'node.kubernetes.io/not-ready', operator: 'Exists' });
    for (const volume of spec.volumes ?? []) {
      if (volume.secret) volume.secret.defaultMode ??= 0o644;
    }
    (spec.volumes ??= []).push({
      name: 'kube-api-access-x7k2p',
      projected: { defaultMode: 0o644, sources: [{ serviceAccountToken: { path: 'token' } }] },
    });
    for (const each of [...(spec.initContainers ?? []), ...spec.containers]) {
      each.terminationMessagePath ??= '/dev/termination-log';
      each.terminationMessagePolicy ??= 'File';
      each.imagePullPolicy = 'Always';
      const mounts = (each.volumeMounts ??= []);
      if (!mounts.some(({ mountPath }) => mountPath === TOKEN_PATH)) {
        mounts.unshift({ name: 'kube-api-access-x7k2p', mountPath: TOKEN_PATH, readOnly: true });
      }
      mounts.unshift({ name: 'mesh', mountPath: '/var/run/mesh' });
      (each.env ??= []).unshift({ name: 'REGION', value: 'eu' });
      each.resources ??= {};
      for (const quantities of [(each.resources.limits ??= {}), (each.resources.requests ??= {})]) {
        for (const [name, quantity] of Object.entries(quantities)) {
          quantities[name] = rewritten[quantity] ?? quantity;
        }
        quantities['ephemeral-storage'] ??= '2Gi';
      }
    }
  });
}

/** Makes of a pod what kpack made before there were reports. */
export function withoutReport(pod: PodManifest, api: string | undefined): void {
  pod.spec.volumes = pod.spec.volumes?.filter(({ name }) => name !== 'report-dir') ?? [];
  for (const each of allContainers(pod)) {
    each.volumeMounts = each.volumeMounts?.filter(({ name }) => name !== 'report-dir') ?? [];
    const args = each.args?.filter((arg) => arg !== '--report' && !arg.includes(REPORT));
    if (args) each.args = args;
    const env = each.env?.filter(({ name }) => name !== 'CNB_PLATFORM_API') ?? [];
    each.env = api === undefined ? env : [...env, { name: 'CNB_PLATFORM_API', value: api }];
  }
}
