/** Another mutating webhook in the same cluster. */
import type { IncomingMessage } from 'node:http';
import type { Operation } from 'fast-json-patch';
import type { Test } from 'tap';
import { startHandlerServer } from '../../bed/handler-server.ts';
import { demand } from '../../bed/kube-client.ts';
import type { PodManifest } from '../../support/build-fixture.ts';
import type { TestCluster } from '../../support/test-cluster.ts';
import { until } from '../../support/program.ts';

/** What it does to a pod; undefined: nothing. */
export type PodPatch = (pod: PodManifest) => readonly Operation[] | undefined;

/** Puts a container beside those of the pod, as a mesh does, once. */
const addContainer: PodPatch = ({ spec }) => {
  const container = { name: 'neighbour', image: 'registry.example.com/neighbour' };
  const isThere = spec.containers.some(({ name }) => name === container.name);
  return isThere ? undefined : [{ op: 'add', path: '/spec/containers/-', value: container }];
};

/**
 * Adds a mutating webhook for the pods of one namespace, and waits until it is in force there. The
 * API server asks in the order of the configurations' names: ours is `kpack-notary`.
 */
export async function neighbour(
  t: Test,
  { api, apiserver }: TestCluster,
  namespace: string,
  { patch = addContainer, name = 'neighbour' }: { patch?: PodPatch; name?: string } = {},
): Promise<void> {
  const { authority } = apiserver;
  let asked = 0;
  const server = await startHandlerServer({
    authority,
    handle: (incoming, outgoing) => {
      asked += 1;
      void answer(incoming, patch).then((body) =>
        outgoing.setHeader('content-type', 'application/json').end(body),
      );
    },
  });
  t.teardown(() => server.stop());
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.com`,
        clientConfig: {
          url: server.url,
          caBundle: Buffer.from(authority.certificatePem).toString('base64'),
        },
        rules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
        ],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        reinvocationPolicy: 'IfNeeded',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  };
  demand(await api.create(configuration));
  t.teardown(() => api.delete(configuration));
  const probe = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'probe', namespace },
    spec: { containers: [{ name: 'probe', image: 'registry.example.com/probe' }] },
  };
  await until(async () => {
    demand(await api.create(probe, { dryRun: true }));
    return asked > 0;
  });
}

async function answer(incoming: IncomingMessage, patch: PodPatch): Promise<string> {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) text += chunk as string;
  const { request } = JSON.parse(text) as { request: { uid: string; object: PodManifest } };
  const operations = patch(request.object);
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid: request.uid,
      allowed: true,
      ...(operations && {
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
      }),
    },
  });
}
