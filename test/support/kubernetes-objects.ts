/** What a cluster with kpack has beside what is built there. */
import type { KubeReference } from '../bed/kube-client.ts';
import type { PodManifest } from './build-fixture.ts';

const RBAC = 'rbac.authorization.k8s.io';
const PRIORITY_CLASS = 'kpack-build-high-priority';
const RUNTIME_CLASS = 'gvisor';

/** An object of any kind. */
type AnyObject = KubeReference & Readonly<Record<string, unknown>>;

/** Classes that some of the build pods of the fixtures name. */
export const SHARED: readonly AnyObject[] = [
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: PRIORITY_CLASS },
    value: 1000,
  },
  {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: RUNTIME_CLASS },
    handler: 'runsc',
  },
];

/** The rights that kpack's own manifests give its controller, as far as builds need them. */
export function kpackAccount(): readonly AnyObject[] {
  const name = 'kpack-controller';
  const all = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
  const rules = [
    { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: all },
    { apiGroups: [''], resources: ['secrets', 'serviceaccounts'], verbs: ['get', 'list', 'watch'] },
    {
      apiGroups: ['kpack.io'],
      resources: ['images', 'images/status', 'builds', 'builds/status', 'builds/finalizers'],
      verbs: all,
    },
  ];
  const apiVersion = `${RBAC}/v1`;
  const metadata = { name };
  const subject = { kind: 'ServiceAccount', namespace: 'kpack', name: 'controller' };
  return [
    { apiVersion, kind: 'ClusterRole', metadata, rules },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
      subjects: [subject],
    },
  ];
}

/**
 * A pod that selects our webhook and is signed by nobody, which somebody else than kpack may post once
 * everything is in force: configurations, rights, classes.
 */
export function probePod(namespace: string): PodManifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'probe', namespace, labels: { 'kpack.io/build': 'probe' } },
    spec: {
      containers: [{ name: 'probe', image: 'registry.example.com/probe' }],
      priorityClassName: PRIORITY_CLASS,
      runtimeClassName: RUNTIME_CLASS,
    },
  };
}
