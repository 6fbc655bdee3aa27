/** Notary Project signatures, alone and beside those of v1: the real notation verifies them. */
import type { V1Pod } from '@kubernetes/client-node';
import { ANNOTATION, SIGNING_CONTAINER } from '../../src/shared/names.ts';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { secret, type PodManifest } from '../support/build-fixture.ts';
import { basicConstraints, keyUsage } from '../support/issued-certificate.ts';
import { makeV2Secret, type V2Secret } from '../support/v2-secret.ts';
import { postBuild, prepareBuild, runBuild, type BuildOptions, type EndedBuild } from './build.ts';
import { demandPhase, failedInWords, receiptOf, signed } from './check-signing.ts';
import type { Environment } from './environment.ts';
import { demandUnsigned, demandV2Signed, demandV2Unsigned } from './judges.ts';
import type { Report } from './report.ts';

const SECRET = 'image-signing';
const REGISTRY_CA_SECRET = 'registry-ca';
const LABELS = { 'notary.kpack.io/signing': 'enabled' };
/** What an admin sets once for all Images of a Namespace. */
const ANNOTATIONS = {
  [ANNOTATION.v2SecretRef]: SECRET,
  [ANNOTATION.registryCaSecretRef]: REGISTRY_CA_SECRET,
};

interface V2Case {
  readonly title: string;
  readonly fixture: string;
  /** A good one by default. */
  readonly secret?: () => V2Secret;
  /** Throws where it did not end as it has to. */
  readonly judge: (environment: Environment, build: EndedBuild, root: string) => Promise<string>;
}

const CASES: readonly V2Case[] = [
  {
    title: 'v2 alone: an Image without a section',
    fixture: 'v0.17.2/01b-plain-git-default-tagging',
    judge: signedByV2Alone,
  },
  {
    title: 'v1 and v2, with credentials for registry and Notary server',
    fixture: 'v0.17.2/02b-notary-registry-secrets',
    judge: signedByBoth,
  },
  {
    title: 'v1 and v2 of many tags in several repositories and two registries',
    fixture: 'v0.17.2/03d-build-many-tags-notary',
    judge: signedByBoth,
  },
  {
    title: 'v1 and v2 in standard containers',
    fixture: 'v0.17.2/07b-standard-containers-notary',
    judge: signedByBoth,
  },
  {
    title: 'v1 and v2 of kpack 0.2, which writes no report',
    fixture: 'v0.2.0/02-notary',
    judge: signedByBoth,
  },
  {
    title: 'the certificate that cert-manager makes where no usages are set',
    fixture: 'v0.17.2/02-notary',
    secret: () => {
      const usage = keyUsage(['digitalSignature', 'keyEncipherment']);
      return makeV2Secret({ extensions: [basicConstraints(false), usage] });
    },
    judge: certificateRefused,
  },
];

export async function checkV2Signing(environment: Environment, report: Report): Promise<void> {
  report.section('A Namespace asks for Notary Project signatures');
  for (const [i, { title, fixture, secret: make = makeV2Secret, judge }] of CASES.entries()) {
    const name = `v2-${i}`;
    const { v2Secret, root } = make();
    const check = async () => {
      const ready = await prepare(environment, { fixture, name }, v2Secret);
      const build = await runBuild(environment, ready);
      await demandMountedOnce(environment, build.pod);
      return `${await judge(environment, build, root)}; only ${SIGNING_CONTAINER} mounts the Secret`;
    };
    await report.check(`${title} (${fixture})`, check, name);
  }
  await report.check('its Secret in other pods', () => keptFromOthers(environment), 'v2-others');
}

async function prepare(
  environment: Environment,
  options: BuildOptions,
  v2Secret: V2Secret['v2Secret'],
) {
  await environment.namespace(options.name, LABELS, ANNOTATIONS);
  return prepareBuild(environment, {
    ...options,
    change: ({ secrets }, { authority }) => {
      // As cert-manager writes it.
      const tls = Object.assign(secret(SECRET, v2Secret), { type: 'kubernetes.io/tls' });
      const ca = secret(REGISTRY_CA_SECRET, { 'ca.crt': authority.certificatePem });
      secrets.push(tls, ca);
    },
  });
}

async function signedByV2Alone(environment: Environment, build: EndedBuild, root: string) {
  demandPhase(build, 'Succeeded');
  const { result } = receiptOf(build);
  if (result !== 'signed') throw new Error(`the receipt says ${result}`);
  const judged = await demandV2Signed(environment, build, root);
  return `${judged}; v1: ${await demandUnsigned(environment, build)}`;
}

async function signedByBoth(environment: Environment, build: EndedBuild, root: string) {
  const judged = await signed(environment, build);
  return `${judged}; ${await demandV2Signed(environment, build, root)}`;
}

async function certificateRefused(environment: Environment, build: EndedBuild) {
  const words = await failedInWords(environment, build);
  if (
    !/\(CERTIFICATE_INVALID\).* key usage keyEncipherment.* usages: \[digital signature, code signing\]/s.test(
      words,
    )
  ) {
    throw new Error(`kpack would show another reason: ${words}`);
  }
  return `${words}; ${await demandV2Unsigned(environment, build)}`;
}

/** @throws Error where another container than the signer has the Secret, or the signer has not */
async function demandMountedOnce({ cluster }: Environment, { metadata }: PodManifest) {
  const { name, namespace = '' } = metadata;
  const reference = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } };
  const { spec } = demand(await cluster.api.get<KubeReference & V1Pod>(reference));
  const volumes = (spec?.volumes ?? []).filter((volume) => JSON.stringify(volume).includes(SECRET));
  const readers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].filter(
    ({ volumeMounts = [], ...rest }) =>
      JSON.stringify(rest).includes(SECRET) ||
      volumeMounts.some((mount) => volumes.some((volume) => volume.name === mount.name)),
  );
  const names = readers.map((container) => container.name);
  if (names.join() === SIGNING_CONTAINER) return;
  throw new Error(`Secret ${SECRET} is in reach of ${names.join(', ') || 'no container'}`);
}

/** Who reaches for the Secret in a build pod is refused; a pod that kpack did not make gets no Secret. */
async function keptFromOthers(environment: Environment): Promise<string> {
  const name = 'v2-others';
  const { v2Secret } = makeV2Secret();
  const { pod } = await prepare(environment, { fixture: 'v0.17.2/02-notary', name }, v2Secret);
  const reaching = structuredClone(pod);
  for (const container of reaching.spec.initContainers ?? []) {
    container.envFrom = [{ secretRef: { name: SECRET } }];
  }
  const { status, failure } = await postBuild(environment, reaching, { dryRun: true });
  if (status !== 422 || !failure?.message.includes('SECRET_EXPOSED')) {
    throw new Error(`a step that reads the Secret: ${status} ${failure?.message}`);
  }
  const foreign = structuredClone(pod);
  delete foreign.metadata.ownerReferences;
  // Posted by the admin, who is not kpack.
  const answer = await environment.cluster.api.create(foreign, { dryRun: true });
  if (JSON.stringify(demand(answer).spec).includes(SECRET))
    throw new Error('a foreign pod got the Secret');
  if (answer.warnings.length === 0) throw new Error('a foreign pod gets no warning');
  return 'a build step that reads it is refused with SECRET_EXPOSED; a pod of somebody else gets none';
}
