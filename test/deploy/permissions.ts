/** What an account may do, asked of a real API server. */
import type { KubeClient } from '../bed/kube-client.ts';
import { demand } from '../bed/kube-client.ts';

/** As the API server has them: `verb resource.group/name`, `*` for any. */
export type Permission = string;

interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** A resource, or a part of one, that the API server serves. */
export interface Resource {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
}

/** Reads, writes, and all there are. */
const VERBS = [
  ...['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', '*'],
];

/** How many questions are asked at once. */
const AT_ONCE = 40;

/** The name of a service account to the API server. */
export function accountName(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** All that an account may do to objects in a namespace, and to those of no namespace. */
export async function permissionsOf(
  api: KubeClient,
  account: string,
  namespace: string,
): Promise<ReadonlySet<Permission>> {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    metadata: {},
    spec: { namespace },
    status: {
      incomplete: false,
      resourceRules: [] as readonly ResourceRule[],
      nonResourceRules: [] as readonly NonResourceRule[],
    },
  };
  const { status } = demand(await api.create(review, { as: account }));
  if (status.incomplete) throw new Error('the API server does not know all rules');
  return new Set([
    ...status.resourceRules.flatMap(ofResources),
    ...status.nonResourceRules.flatMap(({ verbs, nonResourceURLs = [] }) =>
      verbs.flatMap((verb) => nonResourceURLs.map((url) => `${verb} ${url}`)),
    ),
  ]);
}

function ofResources(rule: ResourceRule): readonly Permission[] {
  const { verbs, apiGroups = [''], resources = [], resourceNames = [''] } = rule;
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.map((name) => `${verb} ${spelled(group, resource, name)}`),
      ),
    ),
  );
}

/** `builds.kpack.io`, `secrets/name`. */
export function spelled(group: string, resource: string, name: string): string {
  return `${resource}${group && `.${group}`}${name && `/${name}`}`;
}

/** Everything that the API server serves. */
export async function servedResources(api: KubeClient): Promise<readonly Resource[]> {
  const read = async <T>(path: string) => JSON.parse(await api.text(path)) as T;
  const { groups } = await read<{ groups: readonly { versions: { groupVersion: string }[] }[] }>(
    '/apis',
  );
  const versions = groups.flatMap((group) => group.versions.map((v) => v.groupVersion));
  const lists = await Promise.all(
    ['/api/v1', ...versions.map((version) => `/apis/${version}`)].map(async (path) => {
      const { resources } = await read<{ resources: readonly { name: string }[] }>(path);
      const group = path.startsWith('/apis/') ? (path.split('/')[2] ?? '') : '';
      return resources.map(({ name }) => {
        const [resource = '', subresource = ''] = name.split('/');
        return { group, resource, subresource };
      });
    }),
  );
  const found = lists.flat().map((resource) => [JSON.stringify(resource), resource] as const);
  return [...new Map(found).values()];
}

/**
 * Of everything that is served, by every verb, what an account may do to objects of any name.
 *
 * @param groups that it is in
 */
export async function grantedVerbs(
  api: KubeClient,
  account: string,
  groups: readonly string[],
  namespace: string,
): Promise<ReadonlySet<Permission>> {
  const questions = (await servedResources(api)).flatMap((resource) =>
    VERBS.map((verb) => ({ ...resource, verb, namespace })),
  );
  const granted = new Set<Permission>();
  const askers = Array.from({ length: AT_ONCE }, async () => {
    for (let question = questions.pop(); question; question = questions.pop()) {
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        metadata: {},
        spec: { user: account, groups, resourceAttributes: question },
        status: { allowed: false },
      };
      const { status } = demand(await api.create(review));
      const { verb, group, resource, subresource } = question;
      const what = subresource === '' ? resource : `${resource}/${subresource}`;
      if (status.allowed) granted.add(`${verb} ${spelled(group, what, '')}`);
    }
  });
  await Promise.all(askers);
  return granted;
}
