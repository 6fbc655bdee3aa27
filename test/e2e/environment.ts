/**
 * What the report plays in: a cluster as an admin finds it who has kpack, and beside it a Notary server
 * and registries, all of them real and reachable from pods.
 */
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { createAuthority, type Authority } from '../bed/authority.ts';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import { dockerCli, type DockerCli } from '../bed/docker-cli.ts';
import { startRegistry, type Registry } from '../bed/docker-registry.ts';
import { goTools } from '../bed/go-tools.ts';
import type { Isolated } from '../bed/isolation.ts';
import { makeKpackImages } from '../bed/kpack-images.ts';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { NODE_ADDRESS } from '../bed/node-network.ts';
import { notationCli, type NotationCli } from '../bed/notation-cli.ts';
import { notaryCli, type Credentials, type NotaryCli } from '../bed/notary-cli.ts';
import { startNotaryServer, type NotaryServer } from '../bed/notary-server.ts';
import { startNotarySigner } from '../bed/notary-signer.ts';
import { startTokenServer } from '../bed/token-server.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { kpackAccount, SHARED } from '../support/kubernetes-objects.ts';
import { until } from './until.ts';

/** The stage of the report. */
export interface Environment {
  readonly cluster: Cluster;
  /** Of everything outside of the cluster. */
  readonly authority: Authority;
  readonly notary: NotaryServer;
  /** The one that most images go to, and another one. */
  readonly registries: readonly [Registry, Registry];
  /** Who may push to the Notary server. */
  readonly robot: Credentials;
  /** The CLI of whoever owns trust repositories; without a home of its own, a judge from outside. */
  notaryCli(home: string, auth?: Credentials): NotaryCli;
  dockerCli(): DockerCli;
  /** Judges Notary Project signatures under a root, given as PEM. */
  notationCli(root: string): Promise<NotationCli>;
  /** Makes a namespace, and waits until it has its service account. */
  namespace(
    name: string,
    labels?: Readonly<Record<string, string>>,
    annotations?: Readonly<Record<string, string>>,
  ): Promise<void>;
}

const PASSWORD = 'canary-robot-password';
const OWNER = { username: 'owner', password: 'canary-owner-password' };

/** Who may do everything with trust repositories. */
export const owner: Credentials = OWNER;

/**
 * Starts it all: about fifteen seconds.
 *
 * @throws Error with the log of what does not start
 */
export async function startEnvironment(isolated: Isolated): Promise<Environment> {
  const cluster = await startCluster(isolated);
  const { directory } = cluster;
  const authority = await createAuthority(join(directory, 'outside'));
  const address = NODE_ADDRESS;
  const tokens = await startTokenServer({
    authority,
    address,
    accounts: {
      robot: { password: PASSWORD, actions: ['pull', 'push'] },
      owner: { password: OWNER.password, actions: ['pull', 'push', '*'] },
    },
    // The judges read as nobody.
    anonymous: ['pull'],
  });
  const trustService = await startNotarySigner({
    directory: join(directory, 'notary-signer'),
    authority,
  });
  const registryAt = (name: string) =>
    startRegistry({ directory: join(directory, name), authority, address });
  const [notary, first, second] = await Promise.all([
    startNotaryServer({
      directory: join(directory, 'notary-server'),
      authority,
      address,
      auth: tokens,
      trustService,
    }),
    registryAt('registry'),
    registryAt('other-registry'),
    cluster.containerd.importImage(await makeKpackImages(directory, authority)),
  ]);
  const tools = await goTools();
  if ('missing' in tools) throw new Error(tools.missing);
  const namespace: Environment['namespace'] = async (name, labels = {}, annotations = {}) => {
    const { api } = cluster;
    const own = { name, labels, annotations };
    demand(await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: own }));
    const metadata = { name: 'default', namespace: name };
    await until(
      `the service account of ${name}`,
      async () => (await api.get({ apiVersion: 'v1', kind: 'ServiceAccount', metadata })).ok,
    );
  };
  await haveKpack(cluster, namespace);
  const server = notary;
  return {
    cluster,
    authority,
    notary,
    registries: [first, second],
    robot: { username: 'robot', password: PASSWORD },
    notaryCli: (home, auth) =>
      notaryCli({ server, authority, home: join(directory, home), ...(auth && { auth }) }),
    dockerCli: () =>
      dockerCli({ server, authority, home: join(directory, 'docker-home'), auth: OWNER }),
    notationCli: async (root) =>
      notationCli({
        program: tools.notation,
        home: await mkdtemp(join(directory, 'notation-')),
        roots: [root],
      }),
    namespace,
  };
}

/** kpack's kinds, and its controller's account. */
async function haveKpack({ api }: Cluster, namespace: Environment['namespace']): Promise<void> {
  const file = join(projectDirectory(), 'test/bed/kubernetes/kpack-crds.yaml');
  const crds = loadAll(await readFile(file, 'utf8')) as KubeReference[];
  for (const object of [...crds, ...SHARED]) demand(await api.apply(object));
  await namespace('kpack');
  for (const object of kpackAccount()) demand(await api.apply(object));
  for (const kind of ['Image', 'Build']) {
    for (const version of ['v1alpha1', 'v1alpha2']) {
      const kinds = { apiVersion: `kpack.io/${version}`, kind };
      await until(`${version} ${kind}`, async () => (await api.list(kinds)).ok);
    }
  }
}
