import fc from 'fast-check';
import t from 'tap';
import type { PodManifest } from '../../support/build-fixture.ts';
import { allContainers, SIGNER, signerFlags, type Container } from '../../support/pod.ts';
import {
  ADMIN_KEY,
  ADMIN_URL,
  ADMIN_V2_KEY,
  accountArguments,
  tenants,
  buildOf,
} from './support/random-tenants.ts';
import type { Tenants } from './support/random-tenants.ts';
import { webhookIn } from './support/webhook-in.ts';

const RUNS = { numRuns: 1_500 };

/**
 * What is wrong with a pod that was admitted. The judge reads the texts of the pod alone, as the
 * kubelet and kpack's programs do, and knows what the admin and the developer were to get.
 */
function problemsOf(given: Tenants, pod: PodManifest): readonly string[] {
  const { admin, owner } = given;
  const keys = keysOf(admin);
  const signer = allContainers(pod).find(({ name }) => name === SIGNER);
  const others = allContainers(pod).filter(({ name }) => name !== SIGNER);
  return [
    ...(owner === 'proven' ? [] : ['its owner is not proven']),
    ...others.flatMap((container) =>
      reachedBy(container, pod)
        .filter(isIn(keys))
        .map((name) => `${container.name} reaches ${name}`),
    ),
    ...(pod.spec.imagePullSecrets ?? []).flatMap(({ name = '' }) =>
      keys.includes(name) ? [`images are pulled with ${name}`] : [],
    ),
    ...kpackSigners(pod),
    ...unitProblems(given),
    ...v2Problems(given),
    ...(signer ? signerProblems(given, pod, signer) : []),
  ];
}

/** The Secrets with the admin's keys. */
const keysOf = ({ unit, v2 }: Tenants['admin']): readonly string[] => [
  ...(unit === 'none' ? [] : [ADMIN_KEY]),
  ...(v2 ? [ADMIN_V2_KEY] : []),
];

const isIn = (names: readonly string[]) => (name: string) => names.includes(name);

/** Names of Secrets in whatever refers to one. */
function secretsNamedIn(part: unknown): readonly string[] {
  return [...JSON.stringify(part ?? null).matchAll(/"(?:secretName|name)":"([^"]+)"/g)].flatMap(
    ([, name]) => name ?? [],
  );
}

/** The Secrets that a container reads, by its variables and its mounts. */
function reachedBy({ env, envFrom, volumeMounts = [] }: Container, { spec }: PodManifest) {
  const mounted = volumeMounts.map(({ name }) => spec.volumes?.find((each) => each.name === name));
  return [...secretsNamedIn(env), ...secretsNamedIn(envFrom)].concat(
    mounted.flatMap((volume) => secretsNamedIn(volume?.secret)),
  );
}

/** What `completion` hands to its program, as the build-waiter does. */
function kpackSigners({ spec }: PodManifest): readonly string[] {
  const completion = spec.containers.find(({ name }) => name === 'completion');
  const words = (completion?.args ?? []).flatMap((arg) =>
    arg.startsWith('-execute=') ? arg.slice('-execute='.length).split(' ') : arg,
  );
  const keys = spec.volumes?.find(({ name }) => name === 'notary-dir')?.secret;
  return [
    ...words.filter((word) => /^--?notary-v1-url(?:=|$)/.test(word)),
    ...(keys ? ['notary-dir holds a Secret'] : []),
  ].map((what) => `kpack's own signer: ${what}`);
}

/** Where the signing container differs from what its unit and kpack's own arguments say. */
function signerProblems(given: Tenants, pod: PodManifest, signer: Container): readonly string[] {
  const { admin, unit, registryCa, account, isWaiting } = given;
  const theirs = { url: ADMIN_URL, secretName: ADMIN_KEY, ca: admin.ca };
  const v1 = unit ?? (admin.unit === 'none' ? undefined : theirs);
  const v2 = given.v2 && given.v2.secretName !== admin.v2?.secretName ? given.v2 : admin.v2;
  const url = v1?.url ?? '';
  const ca = v1?.ca;
  const stamp = v2?.stamp;
  const credentials = account.filter(
    (name) => v1 && name === (url === ADMIN_URL ? 'notary-creds' : 'own-creds'),
  );
  const docker = accountArguments(given).filter((argument) => argument.includes('docker'));
  const flags = signerFlags(pod);
  const mounts = (signer.volumeMounts ?? []).map(({ name, mountPath }) => {
    const held = pod.spec.volumes?.find((volume) => volume.name === name)?.secret?.secretName;
    return held === undefined ? mountPath : `${mountPath} of ${held}`;
  });
  const expected = {
    'notary-url': v1 ? [url] : [],
    'key-dir': v1 ? ['/var/notary-sign/key'] : [],
    'v2-key-dir': v2 ? ['/var/notary-sign/v2-key'] : [],
    'v2-timestamp-url': stamp ? [stamp.url] : [],
    'v2-timestamp-ca-file': stamp ? ['/var/notary-sign/v2-timestamp-ca/ca.crt'] : [],
    'registry-ca-file': registryCa === undefined ? [] : ['/var/notary-sign/registry-ca/ca.crt'],
    'ca-file': ca === undefined ? [] : ['/var/notary-sign/ca/ca.crt'],
    'notary-credentials': credentials.map(
      (_, i) => `${new URL(url).host}=/var/notary-sign/credentials/${i}`,
    ),
    'registry-credentials': docker.map((argument) =>
      argument
        .replace(/^-basic-docker=([^=]+)=(.+)$/, '$2=/var/build-secrets/$1')
        .replace(/^-dockerconfig=/, '/var/build-secrets/'),
    ),
  };
  const expectedMounts = [
    '/var/report',
    ...(v1 ? [`/var/notary-sign/key of ${v1.secretName}`] : []),
    ...(ca === undefined ? [] : [`/var/notary-sign/ca of ${ca}`]),
    ...credentials.map((name, i) => `/var/notary-sign/credentials/${i} of ${name}`),
    ...(v2 ? [`/var/notary-sign/v2-key of ${v2.secretName}`] : []),
    ...(stamp ? [`/var/notary-sign/v2-timestamp-ca of ${stamp.ca}`] : []),
    ...(registryCa === undefined ? [] : [`/var/notary-sign/registry-ca of ${registryCa}`]),
    ...docker.map((argument) => {
      const [, name = ''] = argument.split('=');
      return `/var/build-secrets/${name} of ${name}`;
    }),
    ...(isWaiting ? ['/buildWait'] : []),
    '/var/run/secrets/kubernetes.io/serviceaccount',
  ];
  return [
    ...Object.entries(expected).flatMap(([flag, values]) =>
      differs(flags[flag] ?? [], values, `--${flag}`),
    ),
    ...differs(mounts, expectedMounts, 'mounts'),
  ];
}

/** What an Image says beside the admin's key that is not the admin's, whether it is signed or not. */
function unitProblems({ admin, unit }: Tenants): readonly string[] {
  if (admin.unit === 'none' || !unit || ![unit.secretName, unit.ca].includes(ADMIN_KEY)) return [];
  return [
    ...(unit.url === ADMIN_URL ? [] : ["the admin's key with another url"]),
    ...(unit.ca === undefined || unit.ca === admin.ca ? [] : ["the admin's key with another CA"]),
  ];
}

/** What an Image says of v2 beside what the admin asks for, and the admin's keys named for other uses. */
function v2Problems({ admin, unit, v2, registryCa }: Tenants): readonly string[] {
  const keys = keysOf(admin);
  const isAdmins = v2 && v2.secretName === admin.v2?.secretName;
  const uses: readonly (readonly [
    use: string,
    name: string | undefined,
    allowed?: string | undefined,
  ])[] = [
    ['as a key of v1', unit?.secretName, ADMIN_KEY],
    ['as a CA of v1', unit?.ca, admin.ca],
    ['as a key of v2', v2?.secretName, ADMIN_V2_KEY],
    ['as a CA of timestamps', v2?.stamp?.ca],
    ['as a CA of the registry', registryCa],
  ];
  return [
    ...uses.flatMap(([use, name, allowed]) =>
      name !== undefined && name !== allowed && keys.includes(name) ? [`${name} ${use}`] : [],
    ),
    ...(v2 && !isAdmins && admin.v2?.stamp && !v2.stamp ? ['no timestamp'] : []),
    ...(isAdmins && v2.stamp && v2.stamp.url !== admin.v2?.stamp?.url
      ? ["the admin's v2 key with another timestamp server"]
      : []),
  ];
}

function differs(found: readonly string[], wanted: readonly string[], what: string): string[] {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  return left === right ? [] : [`${what}: ${left} is not ${right}`];
}

t.test('whatever people write, no admitted pod reaches what is not for it', async (t) => {
  const seen = new Map<string, number>();
  const see = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
  await fc.assert(
    fc.asyncProperty(tenants, async (given) => {
      const { mutate, validate } = webhookIn(buildOf(given));
      const mutated = await mutate(buildOf(given).pod);
      const isAdmissible = ['allowed', 'patched'].includes(mutated.verdict);
      const { verdict, pod } = isAdmissible ? await validate(mutated.pod) : mutated;
      if (verdict !== 'allowed') {
        if (isAdmissible) throw new Error(`what mutate made is refused by validate: ${verdict}`);
        see(verdict);
        return;
      }
      const problems = problemsOf(given, pod);
      if (problems.length > 0) throw new Error(problems.join('\n'));
      const isSigned = allContainers(pod).some(({ name }) => name === SIGNER);
      see(isSigned ? (given.unit ? 'signed by its own unit' : 'signed by the admin') : 'skipped');
      if (isSigned) {
        const flags = signerFlags(pod);
        const versions = ['key-dir', 'v2-key-dir'].filter((flag) => flags[flag]);
        see(`signed with ${versions.join(' and ')}`);
      }
      if (!isSigned && given.unit?.isSection) see("skipped, without kpack's own signer");
    }),
    RUNS,
  );
  // A property of pods that never come that far would say nothing.
  for (const what of [
    'signed by its own unit',
    'signed by the admin',
    'signed with key-dir',
    'signed with v2-key-dir',
    'signed with key-dir and v2-key-dir',
    'skipped',
    "skipped, without kpack's own signer",
    '422 SECRET_EXPOSED',
    '422 NOTARY_CONFIG_INVALID',
    '422 ARGUMENTS_AMBIGUOUS',
    '422 OWNER_NOT_BUILD',
    '503 OWNER_UNPROVEN',
  ]) {
    t.ok((seen.get(what) ?? 0) >= 5, `${what}: ${seen.get(what) ?? 0} of ${RUNS.numRuns}`);
  }
});
