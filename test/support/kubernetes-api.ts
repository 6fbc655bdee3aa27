/** An API server that knows some objects, and answers otherwise when told to. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Authority } from '../bed/authority.ts';
import type { Manifest } from './build-fixture.ts';

/** What its kubeconfig files authenticate with. */
export const TOKEN = 'canary-of-a-token';

type Answerer = (response: ServerResponse, socket: Socket, count: number) => void;

export interface Api {
  /** Those that came so far; may be emptied. */
  readonly requests: IncomingMessage[];
  connections(): number;
  /** Answers otherwise from now on. */
  answer(answerer: Answerer): void;
  /** Answers with the objects again. */
  serve(): void;
  closeIdle(): void;
  stop(): void;
  /** A kubeconfig file with a bearer token. */
  kubeconfig(directory: string, ca?: string): Promise<string>;
}

const PLURALS: Record<string, string> = {
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  Secret: 'secrets',
  Build: 'builds',
  Image: 'images',
  Pod: 'pods',
  LimitRange: 'limitranges',
  MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
};

/** Our webhook configurations, as they trust the certificates of a CA. */
export function trustingConfigurations({ certificatePem }: Authority): readonly Manifest[] {
  const clientConfig = { caBundle: Buffer.from(certificatePem).toString('base64') };
  return ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].map((kind) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: 'kpack-notary', resourceVersion: '1' },
    webhooks: [{ name: 'pods.notary.kpack.io', clientConfig }],
  }));
}

/** An API server that knows objects by their paths, and trusts the webhook's certificate. */
export async function startApi(
  t: Test,
  authority: Authority,
  manifests: readonly Manifest[],
): Promise<Api> {
  const certificate = await authority.issue({ name: 'api' });
  const objects = new Map(
    [...manifests, ...trustingConfigurations(authority)].map((manifest) => {
      const { apiVersion, kind, metadata } = manifest;
      const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
      return [`${root}${scope}/${PLURALS[kind] ?? ''}/${metadata.name}`, manifest];
    }),
  );
  const listOf = (path: string) => {
    if (!/\/(images|builds|pods|limitranges)$/.test(path)) return undefined;
    const items = [...objects].filter(([of]) => of.startsWith(`${path}/`)).map(([, item]) => item);
    return { kind: 'List', apiVersion: 'v1', metadata: {}, items };
  };
  const requests: IncomingMessage[] = [];
  let connections = 0;
  let answerer: Answerer | undefined;
  let answered = 0;
  const options = { cert: certificate.certificatePem, key: certificate.keyPem };
  const server: Server = createServer(options, (request, response) => {
    requests.push(request);
    answered += 1;
    answerer?.(response, request.socket, answered);
    if (answerer) return;
    const path = request.url?.split('?')[0] ?? '';
    const found = objects.get(path) ?? listOf(path);
    const missing = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      reason: 'NotFound',
      code: 404,
    };
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found ?? missing));
  });
  server.on('secureConnection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(stop);
  return {
    requests,
    connections: () => connections,
    answer: (next) => {
      answerer = next;
      answered = 0;
    },
    serve: () => (answerer = undefined),
    closeIdle: () => server.closeIdleConnections(),
    stop,
    kubeconfig: async (directory, ca = authority.certificatePem) => {
      const file = join(directory, 'kubeconfig');
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
        clusters: [
          {
            name: 'test',
            cluster: {
              server: `https://localhost:${port}`,
              'certificate-authority-data': Buffer.from(ca).toString('base64'),
            },
          },
        ],
        users: [{ name: 'test', user: { token: TOKEN } }],
      };
      await writeFile(file, JSON.stringify(config));
      return file;
    },
  };
}
