/** Other admission plug-ins and webhooks, as far as they change build pods. */
import fc from 'fast-check';
import { changed, type PodManifest } from '../../../support/build-fixture.ts';
import { afterOtherPlugins } from '../../../support/pod-changes.ts';
import { allContainers, container, SIGNER, type Container } from '../../../support/pod.ts';

/** One who changes pods; called again, it leaves alone what it has done. */
export interface Neighbour {
  readonly name: string;
  readonly change: (pod: PodManifest) => void;
}

const has = (list: readonly { readonly name: string }[] | undefined, name: string) =>
  list?.some((each) => each.name === name) ?? false;

function addVolume({ spec }: PodManifest, name: string): void {
  if (!has(spec.volumes, name)) (spec.volumes ??= []).push({ name, emptyDir: {} });
}

function addMount(each: Container, name: string, mountPath: string): void {
  if (each.volumeMounts?.some((mount) => mount.mountPath === mountPath)) return;
  (each.volumeMounts ??= []).push({ name, mountPath });
}

function addVariable(each: Container, name: string, value: string): void {
  if (!has(each.env, name)) (each.env ??= []).push({ name, value });
}

/** Puts a container first or last in a list. */
function place(list: Container[], added: Container, isFirst: boolean): void {
  if (has(list, added.name)) return;
  if (isFirst) list.unshift(added);
  else list.push(added);
}

const init = (pod: PodManifest) => (pod.spec.initContainers ??= []);

const MEMBERS: Record<string, (isFirst: boolean, pod: PodManifest) => void> = {
  'istio, native': (isFirst, pod) => {
    addVolume(pod, 'istio-envoy');
    place(init(pod), { name: 'istio-proxy', image: 'proxyv2', restartPolicy: 'Always' }, isFirst);
    place(init(pod), { name: 'istio-init', image: 'proxyv2' }, isFirst);
    (pod.spec.securityContext ??= {}).fsGroup ??= 1337;
    Object.assign((pod.metadata.annotations ??= {}), { 'sidecar.istio.io/status': '{}' });
  },
  'linkerd, classic': (isFirst, pod) => {
    addVolume(pod, 'linkerd-identity-end-entity');
    place(pod.spec.containers, { name: 'linkerd-proxy', image: 'proxy' }, isFirst);
    place(init(pod), { name: 'linkerd-init', image: 'proxy-init' }, isFirst);
  },
  'vault agent': (isFirst, pod) => {
    addVolume(pod, 'vault-secrets');
    const agent = { image: 'vault', volumeMounts: [] };
    place(init(pod), { ...agent, name: 'vault-agent-init' }, isFirst);
    place(pod.spec.containers, { ...agent, name: 'vault-agent' }, isFirst);
    for (const each of allContainers(pod)) addMount(each, 'vault-secrets', '/vault/secrets');
  },
  'cert-injection': (_, pod) => {
    addVolume(pod, 'ca-certs');
    for (const each of allContainers(pod)) addMount(each, 'ca-certs', '/etc/ssl/certs');
    place(init(pod), { name: 'setup-ca-certs', image: 'x' }, true);
  },
  'certificates for kpack alone': (_, pod) => {
    addVolume(pod, 'bundle');
    for (const each of allContainers(pod)) {
      if (each.name === SIGNER) continue;
      addMount(each, 'bundle', '/bundle');
      addVariable(each, 'SSL_CERT_FILE', '/bundle/ca.pem');
    }
  },
  proxy: (isFirst, pod) => {
    for (const each of allContainers(pod)) {
      addVariable(each, isFirst ? 'HTTPS_PROXY' : 'https_proxy', 'http://proxy.example.com');
      addVariable(each, 'NO_PROXY', '.svc,.cluster.local');
    }
  },
  'default resources': (isFirst, pod) => {
    const quantities = { cpu: isFirst ? '250m' : '10m', memory: '64Mi' };
    for (const each of allContainers(pod)) {
      each.resources ??= {};
      each.resources.requests = { ...quantities, ...each.resources.requests };
    }
  },
  'an autoscaler': (isFirst, pod) => {
    for (const each of allContainers(pod)) {
      each.resources = { requests: { cpu: isFirst ? '3' : '20m', memory: '1Gi' } };
    }
  },
  'an agent of the node': (_, pod) => {
    for (const each of allContainers(pod)) addVariable(each, 'NODE_NAME', 'worker-1');
  },
  'capabilities by name': (_, pod) => {
    for (const each of allContainers(pod)) {
      const capabilities = ((each.securityContext ??= {}).capabilities ??= {});
      capabilities.drop = [...new Set([...(capabilities.drop ?? []), 'KILL', 'MKNOD'])];
    }
  },
  'labels and annotations': (_, pod) => {
    Object.assign((pod.metadata.labels ??= {}), { team: 'a', ['__proto__x']: 'b' });
    Object.assign((pod.metadata.annotations ??= {}), { constructor: 'c', hasOwnProperty: 'd' });
  },
  scheduling: (_, pod) => {
    const { spec } = pod;
    spec.nodeSelector = { ...spec.nodeSelector, pool: 'builds' };
    if (spec.tolerations?.some(({ key }) => key === 'builds')) return;
    (spec.tolerations ??= []).push({ key: 'builds', operator: 'Exists' });
  },
  'a user for the pod': (isFirst, pod) => {
    (pod.spec.securityContext ??= {}).runAsUser ??= isFirst ? 1000 : 1_000_650_000;
  },
  'the order of volumes and variables': (_, pod) => {
    pod.spec.volumes?.reverse();
    for (const each of allContainers(pod)) each.env?.reverse();
  },
  'unknown fields': (_, pod) => {
    Object.assign(pod.spec, { futureField: { nested: [1, null, { a: 'b' }] } });
    Object.assign(container(pod, 'completion'), { futureField: 'x' });
  },
  'the API server': (_, pod) => {
    if (pod.spec.dnsPolicy === undefined) Object.assign(pod, afterOtherPlugins(pod));
  },
};

/** Some neighbours, in the order in which they are called. */
export const neighbours: fc.Arbitrary<Neighbour[]> = fc.array(
  fc
    .tuple(fc.constantFrom(...Object.keys(MEMBERS)), fc.boolean())
    .map(([name, isFirst]): Neighbour => ({
      name: `${name}${isFirst ? ', first' : ''}`,
      change: (pod) => MEMBERS[name]?.(isFirst, pod),
    })),
  { maxLength: 5 },
);

/** The pod after neighbours. */
export function after(pod: PodManifest, list: readonly Neighbour[]): PodManifest {
  return list.reduce((before, { change }) => changed(before, change), pod);
}
