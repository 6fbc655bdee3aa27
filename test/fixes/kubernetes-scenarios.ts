/** Secrets and labels that are not in order, and what people run with kubectl. */
import { deepEqual } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SigningError } from '../../src/shared/signing-error.ts';
import { parseDockerConfig } from '../../src/sidecar/auth/docker-config.ts';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { makeKeyDirectory, openPem, PASSWORD } from '../support/private-key.ts';
import type { TestCluster } from '../support/test-cluster.ts';
import { objectThatSays } from '../support/notary-rule.ts';
import { P, section } from '../support/build-fixture.ts';
import { adminShell } from './people.ts';
import type { Scenario } from './scenario.ts';

const LABEL = 'kubectl label namespace … notary.kpack.io/signing=enabled --overwrite';
const SECRET_KEY = 'signer.key';

type Secret = KubeReference & { readonly data?: Readonly<Record<string, string>> };

/** @param theCluster the API server, asking our webhook, in which all of them are played */
export function kubernetesScenarios(theCluster: () => TestCluster): readonly Scenario[] {
  const optedInBy = (namespace: string) => async () => {
    const { api } = theCluster();
    const reference = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    const { metadata } = demand(await api.get(reference)) as {
      metadata: { labels?: Readonly<Record<string, string>> };
    };
    if (metadata.labels?.[`${P}signing`] !== 'enabled') throw new Error('not opted in');
  };
  return [
    ...['', 'disabled'].map((label): Scenario => ({
      command: LABEL,
      what: `an Image in a namespace whose label is ${label === '' ? 'absent' : label}`,
      play: async () => {
        const cluster = theCluster();
        const { api, apiserver } = cluster;
        const name = `fixes-label-${label}x`;
        await cluster.namespace(name, label === '' ? {} : { labels: { [`${P}signing`]: label } });
        const image = objectThatSays('Image', 'kpack.io/v1alpha1', { notary: section() });
        const metadata = { ...image.metadata, namespace: name };
        const { warnings } = await api.create({ ...image, metadata }, { dryRun: true });
        return {
          printed: warnings.join('\n'),
          shell: await adminShell(apiserver),
          demandCured: optedInBy(name),
        };
      },
    })),
    {
      command: LABEL,
      what: 'the label of a Namespace, written as an annotation',
      play: async () => {
        const cluster = theCluster();
        const { api, apiserver } = cluster;
        const name = 'fixes-annotation';
        await cluster.namespace(name);
        const reference = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
        const refused = await api.patch(reference, {
          metadata: { annotations: { [`${P}signing`]: 'enabled' } },
        });
        return {
          printed: refused.failure?.message ?? '',
          shell: await adminShell(apiserver),
          demandCured: optedInBy(name),
        };
      },
    },
    {
      command:
        'kubectl -n … create secret generic … --from-file=… --from-file=notary-password.txt=… --dry-run=client -o yaml | kubectl apply -f -',
      what: 'a signing Secret whose key lost its line breaks',
      play: async () => {
        const cluster = theCluster();
        const { api, apiserver } = cluster;
        const { opensslKey } = makeKeyDirectory();
        const pem = opensslKey('key', ['ec_paramgen_curve:P-256']).encrypt();
        const secret = secretIn('fixes-key', 'notary-signing');
        await cluster.namespace('fixes-key');
        const lost = pem.replaceAll('\n', '').slice(0, -40);
        const stringData = { [SECRET_KEY]: lost, 'ca.crt': 'stays' };
        demand(await api.create({ ...secret, stringData }));
        const shell = await adminShell(apiserver);
        await writeFile(join(shell.directory, SECRET_KEY), pem);
        await writeFile(join(shell.directory, 'password'), PASSWORD);
        return {
          printed: fixOf(() => openPem(lost, PASSWORD)),
          fill: {
            namespace: 'fixes-key',
            name: 'notary-signing',
            'key file': SECRET_KEY,
            'password file': 'password',
          },
          shell,
          demandCured: async () => {
            const files = textsOf(demand(await api.get(secret)));
            openPem(files[SECRET_KEY] ?? '', files['notary-password.txt']);
            if (files['ca.crt'] !== 'stays') throw new Error('the CA is gone');
          },
        };
      },
    },
    {
      command:
        'kubectl -n … create secret docker-registry … --docker-server=… --docker-username=… --docker-password=… --dry-run=client -o yaml | kubectl apply -f -',
      what: 'a docker Secret that holds no configuration of docker',
      play: async () => {
        const cluster = theCluster();
        const { api, apiserver } = cluster;
        const form = '.dockerconfigjson';
        const secret = secretIn('fixes-docker', 'registry');
        const [host, username, password] = ['registry.example.com', 'robot', "it's $HOME & more"];
        await cluster.namespace('fixes-docker');
        const stringData = { [form]: '{"auths":[]}' };
        demand(await api.create({ ...secret, type: `kubernetes.io/dockerconfigjson`, stringData }));
        return {
          printed: fixOf(() => parseDockerConfig(stringData[form], form, 'the file')),
          fill: { namespace: 'fixes-docker', name: 'registry', host, user: username, password },
          shell: await adminShell(apiserver),
          demandCured: async () => {
            const text = textsOf(demand(await api.get(secret)))[form] ?? '';
            const login = { kind: 'basic', username, password };
            const { entries } = parseDockerConfig(text, form, 'the file');
            deepEqual(entries, [{ pattern: { host, path: '' }, login }]);
          },
        };
      },
    },
  ];
}

function secretIn(namespace: string, name: string): Secret {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name } };
}

function textsOf({ data = {} }: Secret): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]),
  );
}

function fixOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SigningError) return error.fix;
    throw error;
  }
  throw new Error('nothing is wrong');
}
