/** A build in the cluster, as kpack would have it: from what a user wrote to the end of its pod. */
import { setTimeout as pause } from 'node:timers/promises';
import type { V1ContainerStatus, V1Pod, V1ServiceAccount } from '@kubernetes/client-node';
import { SIGNING_CONTAINER } from '../../src/shared/names.ts';
import { demand, type KubeAnswer, type KubeReference } from '../bed/kube-client.ts';
import { runnable } from '../bed/kpack-images.ts';
import type { NotaryCli } from '../bed/notary-cli.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import {
  buildFixture,
  type BuildFixture,
  type PodManifest,
  secret,
} from '../support/build-fixture.ts';
import { keyFile } from '../bed/notary-repository.ts';
import { storeBuild } from '../support/kubernetes-build.ts';
import { owner, type Environment } from './environment.ts';
import { until } from './until.ts';

/** A build to run. */
export interface BuildOptions {
  /** Build pod of kpack's, by its name in the fixtures. */
  readonly fixture: string;
  /** Its namespace, which exists, and the name of its repositories: nobody else's. */
  readonly name: string;
  /** Changes what the user wrote. */
  readonly change?: (fixture: BuildFixture, environment: Environment) => void;
  /** Of the signing key; the right one by default. */
  readonly password?: string;
  /** The image that a rebase is based on, as `<repository>@<digest>`. */
  readonly lastImage?: string;
}

/** A build that is ready to be posted. */
export interface ReadyBuild {
  /** As kpack posts it. */
  readonly pod: PodManifest;
  /** All tags that it is to have, each with its repository. */
  readonly tags: readonly { readonly gun: string; readonly tag: string }[];
}

/** A build pod that has ended. */
export interface EndedBuild extends ReadyBuild {
  readonly phase: 'Succeeded' | 'Failed';
  /** What each container ended with, by its name. */
  readonly ends: ReadonlyMap<string, NonNullable<V1ContainerStatus['state']>['terminated']>;
  /** What kpack shows of the failure in the Build: termination message and last log line. */
  readonly message: string;
  /** From the post to the end, in milliseconds. */
  readonly milliseconds: number;
}

const POD_LIMIT = 180_000;
/**
 * How long is waited before a pod is posted again, in milliseconds: longer each time, as kpack's queue
 * does. Without that, those that wait would keep the API server so busy that they wait for ever.
 */
const FIRST_WAIT = 50;
const LONGEST_WAIT = 5_000;
/** What kpack's controller sets, so that a build of standard containers begins. */
const READY_ANNOTATION = 'build.kpack.io/ready';

/**
 * Stores what the build is made from: the signing Secret, the credentials for the Notary server, and
 * trust repositories that are ready to be signed.
 */
export async function prepareBuild(
  environment: Environment,
  options: BuildOptions,
): Promise<ReadyBuild> {
  const { name, password, lastImage } = options;
  const { api } = environment.cluster;
  const fixture = atBed(environment, options);
  const tags = tagsOf(fixture.build);
  const cli = environment.notaryCli(`owner-${name}`, owner);
  const guns = [...new Set(tags.map(({ gun }) => gun))];
  const keys: Record<string, string> = {};
  for (const gun of guns) {
    // What a rebase is based on was signed.
    if (lastImage === undefined) await makeReady(cli, gun);
    Object.assign(keys, await keyFile(cli, 'targets', gun));
  }
  const signing = secret('notary-signing', {
    ...keys,
    'notary-password.txt': `${password ?? cli.passphrase}\n`,
    'ca.crt': environment.authority.certificatePem,
  });
  const credentials = secret(
    'notary-server',
    { ...environment.robot },
    {
      'kpack.io/notary.v1': environment.notary.url,
    },
  );
  const others = fixture.secrets.filter(
    ({ metadata }) =>
      metadata.name !== 'notary-signing' && !metadata.annotations?.['kpack.io/notary.v1'],
  );
  const account = fixture.serviceAccount as V1ServiceAccount & BuildFixture['serviceAccount'];
  account.secrets = [...(account.secrets ?? []), { name: 'notary-server' }];
  fixture.secrets.splice(0, fixture.secrets.length, ...others, signing, credentials);
  const { pod } = await storeBuild(api, fixture, name);
  return { pod, tags };
}

/** The tags that a Build is to make. */
export function tagsOf({ spec }: BuildFixture['build']): ReadyBuild['tags'] {
  return (spec['tags'] as readonly string[]).map((reference) => {
    const [, gun = '', tag = 'latest'] = /^(.+?)(?::([^:/]+))?$/.exec(reference) ?? [];
    return { gun, tag };
  });
}

/** Makes a trust repository that can be signed from a build: its snapshot key is on the server. */
async function makeReady(cli: NotaryCli, gun: string): Promise<void> {
  await cli.init(gun);
  await cli.rotateSnapshotToServer(gun);
  await cli.publish(gun);
}

/** Posts a pod as kpack's controller does, once. */
export function postBuild(
  { cluster }: Environment,
  pod: PodManifest,
  options: { readonly dryRun?: boolean } = {},
): Promise<KubeAnswer<PodManifest>> {
  return cluster.api.create(pod, { as: KPACK_USER, ...options });
}

/**
 * Posts a pod as kpack's controller does: again and again while trying again may help.
 *
 * @returns how often that was necessary
 * @throws Error with the reason where it is refused for good
 */
export async function postUntilAdmitted(
  environment: Environment,
  pod: PodManifest,
  options: { readonly dryRun?: boolean } = {},
): Promise<number> {
  let posts = 0;
  let wait = FIRST_WAIT;
  await until('the admission of a build pod', async () => {
    posts += 1;
    const answer = await postBuild(environment, pod, options);
    if (!answer.ok && isRetried(answer.status)) {
      await pause(wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
      return undefined;
    }
    demandSigner(demand(answer));
    return true;
  });
  return posts;
}

/** Whether posting the same pod again may help: an API server that has too much to do says 429. */
export function isRetried(status: number): boolean {
  return status >= 500 || status === 429;
}

/** @throws Error where an admitted pod would go unsigned */
export function demandSigner({ metadata, spec }: PodManifest): void {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  if (containers.some(({ name }) => name === SIGNING_CONTAINER)) return;
  throw new Error(`${metadata.namespace}/${metadata.name} was admitted without a signer`);
}

/**
 * Posts the pod of a build and does what kpack's controller does until it has ended.
 *
 * @param options whether the pod has to have a signer once it is admitted
 * @throws Error when it is refused, or does not end
 */
export async function runBuild(
  environment: Environment,
  ready: ReadyBuild,
  { isSigned = true } = {},
): Promise<EndedBuild> {
  const begin = performance.now();
  const { api } = environment.cluster;
  if (isSigned) await postUntilAdmitted(environment, ready.pod);
  else demand(await postBuild(environment, ready.pod));
  let isReady = ready.pod.spec.volumes?.every(({ downwardAPI }) => downwardAPI === undefined);
  const { namespace = '', name } = ready.pod.metadata;
  const reference = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name } } as const;
  const { phase, status } = await until<EndedPod>(
    `the end of the pod ${namespace}/${name}`,
    async () => {
      const pod = demand(await api.get<KubeReference & V1Pod>(reference));
      const { phase, containerStatuses = [] } = pod.status ?? {};
      const readyOnes = containerStatuses.filter((container) => container.ready).length;
      if (isReady !== true && readyOnes === pod.spec?.containers.length) {
        const change = { metadata: { annotations: { [READY_ANNOTATION]: 'true' } } };
        demand(await api.patch(reference, change, { as: KPACK_USER }));
        isReady = true;
      }
      return phase === 'Succeeded' || phase === 'Failed'
        ? { phase, status: pod.status }
        : undefined;
    },
    POD_LIMIT,
  );
  const { initContainerStatuses = [], containerStatuses = [] } = status ?? {};
  const ends = [...initContainerStatuses, ...containerStatuses].map(
    ({ name: container, state }) => [container, state?.terminated] as const,
  );
  // The first init container that failed: kpack shows no other.
  const failed = initContainerStatuses.find(
    ({ state }) => (state?.terminated?.exitCode ?? 0) !== 0,
  );
  const milliseconds = performance.now() - begin;
  const message = failed === undefined ? '' : await shownFailure(environment, reference, failed);
  return { ...ready, phase, ends: new Map(ends), message, milliseconds };
}

/** Of a log line, kpack shows this many characters. */
const LOG_LINE_LIMIT = 800;

/** What kpack makes of a failed init container: its termination message and its last log line. */
async function shownFailure(
  { cluster }: Environment,
  { metadata }: KubeReference,
  { name, state }: V1ContainerStatus,
): Promise<string> {
  const pod = ['-n', metadata.namespace ?? '', 'logs', metadata.name];
  const line = await cluster.kubectl(...pod, '-c', name, '--tail=1');
  return `${state?.terminated?.message ?? ''} ${line.trimEnd().slice(0, LOG_LINE_LIMIT)}`;
}

interface EndedPod {
  readonly phase: EndedBuild['phase'];
  readonly status: V1Pod['status'];
}

/** A fixture with the hosts, the repositories and the images of the bed. */
export function atBed(environment: Environment, options: BuildOptions): BuildFixture {
  const { fixture: name, name: own, lastImage, change } = options;
  const [first, second] = environment.registries;
  const fixture = buildFixture(name);
  const lastBuild = /registry\.example\.com\/team\/app@sha256:[0-9a-f]{64}/g;
  const text = JSON.stringify(fixture)
    .replaceAll(lastBuild, lastImage ?? '$&')
    .replaceAll('registry.example.com/team/app', `${first.host}/team/${own}`)
    .replaceAll('registry.example.com/mirror/app', `${first.host}/mirror/${own}`)
    .replaceAll('other.example.net:5000/app', `${second.host}/${own}`)
    .replaceAll('https://notary.example.com:4443', environment.notary.url);
  const placed = JSON.parse(text) as BuildFixture;
  runnable(placed.pod.spec);
  change?.(placed, environment);
  return placed;
}
