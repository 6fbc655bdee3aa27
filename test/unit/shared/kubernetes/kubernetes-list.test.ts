/** Lists of the Kubernetes API that a decision needs. */
import type { ServerResponse } from 'node:http';
import t from 'tap';
import {
  ClusterError,
  type Cluster,
  type ClusterObject,
} from '../../../../src/shared/kubernetes/cluster.ts';
import { openKubernetesCluster } from '../../../../src/shared/kubernetes/kubernetes-cluster.ts';
import { createAuthority } from '../../../bed/authority.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';
import type { Manifest } from '../../../support/build-fixture.ts';
import { startApi } from '../../../support/kubernetes-api.ts';

const authority = await createAuthority(temporaryDirectory());

const range = (name: string, namespace = 'apps'): Manifest => ({
  apiVersion: 'v1',
  kind: 'LimitRange',
  metadata: { name, namespace },
  spec: { limits: [] },
});
const namesOf = (found: readonly ClusterObject[]) => found.map(({ metadata }) => metadata.name);

t.test('the LimitRanges of one namespace are listed, by one request', async (t) => {
  const api = await startApi(t, authority, [range('a'), range('b'), range('c', 'other')]);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  t.same(namesOf(await cluster.limitRanges('apps')), ['a', 'b']);
  t.same(await cluster.limitRanges('empty'), []);
  t.same(
    api.requests.map(({ url }) => url?.split('?')[0]),
    ['apps', 'empty'].map((name) => `/api/v1/namespaces/${name}/limitranges`),
  );
  for (const odd of ['', '.', '..']) {
    await t.rejects(cluster.limitRanges(odd), ClusterError, 'leads nowhere else');
  }
});

t.test('a list that comes in pages is read to its end', async (t) => {
  const api = await startApi(t, authority, []);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  api.answer((response, _, count) => {
    const metadata = count === 1 ? { continue: 'more/of it' } : {};
    response.end(JSON.stringify({ metadata, items: [range(`page-${count}`)] }));
  });
  t.same(namesOf(await cluster.limitRanges('apps')), ['page-1', 'page-2']);
  t.match(api.requests[1]?.url, /continue=more%2Fof%20it$/);
});

t.test('what is answered otherwise is no list', async (t) => {
  const cases: Record<string, readonly [number, string, RegExp, RegExp?]> = {
    forbidden: [
      403,
      '{}',
      /limitranges was answered with HTTP 403/,
      /apiGroups: \[""\], resources: \["limitranges"\], verbs: \["list"\]/,
    ],
    'not served': [404, '404 page not found', /the Kubernetes API serves no limitranges/],
    'an error': [500, '{}', /HTTP 500/],
    'an object': [200, JSON.stringify(range('a')), /something else than a list/],
    'no JSON': [200, '<html>', /something else than a list/],
  };
  const api = await startApi(t, authority, []);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  for (const [what, [status, body, message, fix]] of Object.entries(cases)) {
    api.answer((response: ServerResponse) => void response.writeHead(status).end(body));
    const error = await failure(cluster);
    t.match(error?.message, message, what);
    if (fix) t.match(error?.fix, fix, what);
    else t.equal(error?.fix, undefined, what);
  }
});

t.test('a list is given up when nobody waits for it', async (t) => {
  const api = await startApi(t, authority, []);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  const nobody = new AbortController();
  api.answer(() => nobody.abort(new Error('the caller has gone')));
  t.match(await failure(cluster, nobody.signal), {
    failure: 'timeout',
    message: 'the caller has gone',
  });
});

/** What a list fails with; undefined when it does not. */
async function failure(cluster: Cluster, signal?: AbortSignal): Promise<ClusterError | undefined> {
  try {
    await cluster.limitRanges('apps', signal);
    return undefined;
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
}
