/**
 * What an admin and the developers of one namespace may write, at random, and the pod that kpack makes
 * of it: with the arguments, volumes and variables of its own code (pkg/apis/build/v1alpha2).
 */
import fc from 'fast-check';
import {
  type BuildFixture,
  type Manifest,
  OTHER_PIN,
  P,
  PIN,
  type PodManifest,
  secret,
  signingNamespace,
} from '../../../support/build-fixture.ts';
import { REPORT, stepCommand, type Container } from '../../../support/pod.ts';

/** What is the admin's alone, and what a developer may have. */
export const ADMIN_URL = 'https://notary.admin.example.com';
export const ADMIN_KEY = 'admin-key';
export const ADMIN_V2_KEY = 'admin-v2-key';
export const ADMIN_STAMP = { url: 'https://timestamp.admin.example.com', ca: 'admin-timestamp-ca' };
const OWN_URL = 'https://notary.own.example.com';
const EVIL = 'evil.example.com';

/** Texts that developers write where kpack takes them as they are; some look like arguments. */
const WORDS = [
  'x',
  'stop',
  '--',
  `-basic-docker=git-basic=${EVIL}`,
  `-basic-docker=registry-creds=${EVIL}`,
  '-dockerconfig=git-basic',
  `--basic-docker=${ADMIN_KEY}=${EVIL}`,
  `-notary-v1-url=https://${EVIL}`,
  `--notary-v1-url https://${EVIL}`,
  '--report /elsewhere',
];
const texts = fc
  .array(fc.constantFrom(...WORDS), { maxLength: 3 })
  .map((words) => ['registry.example.com/team/app', ...words].join(' '));
const annotationTexts = fc
  .array(fc.constantFrom(...WORDS), { maxLength: 3 })
  .map((words) => words.join(' '));

/** Secrets that a developer may name anywhere; the admin's among them. */
const SECRETS = [ADMIN_KEY, ADMIN_V2_KEY, 'admin-ca', 'own-key', 'own-ca', 'other', 'notary-creds'];
const few = (weight: number) =>
  fc.oneof(
    { weight, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.subarray(SECRETS, { maxLength: 1 }) },
  );

/** Secrets of a service account by what kpack makes of them: the argument of each. */
const ACCOUNT_SECRETS: Readonly<Record<string, string>> = {
  'registry-creds': '-basic-docker=registry-creds=registry.example.com',
  'docker-creds': '-dockerconfig=docker-creds',
  'git-basic': '-basic-git=git-basic=https://git.example.com',
  // Not mounted by kpack: one for each Notary server.
  'notary-creds': '',
  'own-creds': '',
  [ADMIN_KEY]: '',
  [ADMIN_V2_KEY]: '',
};

export type Tenants = typeof tenants extends fc.Arbitrary<infer Value> ? Value : never;

/** All that people write, and how kpack runs. Mostly honest, so that most pods get somewhere. */
export const tenants = fc.record({
  admin: fc.record({
    unit: fc.constantFrom('whole', 'whole', 'whole', 'none', 'Secret alone'),
    ca: fc.constantFrom(undefined, 'admin-ca', ADMIN_KEY),
    pins: fc.constantFrom(undefined, undefined, PIN),
    v2: fc.constantFrom(
      undefined,
      { secretName: ADMIN_V2_KEY, stamp: undefined },
      { secretName: ADMIN_V2_KEY, stamp: ADMIN_STAMP },
    ),
  }),
  unit: fc.option(
    fc.record({
      isSection: fc.boolean(),
      url: fc.constantFrom(OWN_URL, OWN_URL, ADMIN_URL),
      secretName: fc.constantFrom('own-key', 'own-key', 'own-key', ADMIN_KEY, ADMIN_V2_KEY),
      ca: fc.constantFrom(undefined, undefined, 'own-ca', 'admin-ca', ADMIN_KEY),
    }),
  ),
  v2: fc.option(
    fc.record({
      secretName: fc.constantFrom('own-v2-key', 'own-v2-key', ADMIN_V2_KEY, ADMIN_KEY),
      stamp: fc.constantFrom(
        undefined,
        ADMIN_STAMP,
        { url: 'http://timestamp.own.example.com', ca: 'own-ca' },
        { url: 'http://timestamp.own.example.com', ca: ADMIN_V2_KEY },
      ),
    }),
    { freq: 1 },
  ),
  registryCa: fc.constantFrom(undefined, undefined, 'own-ca', ADMIN_KEY, ADMIN_V2_KEY),
  pins: fc.constantFrom(undefined, undefined, PIN, OTHER_PIN),
  isOptedOut: fc.boolean(),
  services: few(2),
  bindings: few(2),
  variables: few(2),
  pullSecrets: few(9),
  cosign: fc.oneof(
    { weight: 2, arbitrary: fc.constant<string[]>(['payments']) },
    fc.array(annotationTexts, { maxLength: 2 }),
  ),
  tags: fc.oneof(
    { weight: 3, arbitrary: fc.constant(['registry.example.com/team/app']) },
    fc.array(fc.oneof(texts, annotationTexts), { minLength: 1, maxLength: 3 }),
  ),
  lastImage: fc.oneof(texts, annotationTexts),
  runImage: fc.oneof(texts, annotationTexts),
  account: fc.subarray(Object.keys(ACCOUNT_SECRETS)),
  owner: fc.constantFrom(
    ...Array.from({ length: 16 }, () => 'proven' as const),
    'other Build' as const,
    'other Image' as const,
    'no Image' as const,
    'none' as const,
  ),
  isRebase: fc.boolean(),
  isWaiting: fc.boolean(),
  /** Where the programs of the controller lie: released ones are built with other tools. */
  programs: fc.constantFrom('/cnb/process', '/ko-app'),
});

const BUILD = { name: 'app-build-1', namespace: 'apps', uid: 'b0000000' };
const IMAGE = { name: 'app', namespace: 'apps', uid: 'a0000000' };

/** The build whose pod kpack posts. */
export function buildOf(given: Tenants): BuildFixture {
  const { owner, unit, v2, registryCa, tags, account, admin, pins, isOptedOut } = given;
  const annotations = {
    ...(unit &&
      !unit.isSection &&
      annotated({ 'v1.url': unit.url, 'v1.secretRef': unit.secretName })),
    ...(unit?.ca !== undefined && annotated({ 'v1.caSecretRef': unit.ca })),
    ...(v2 && annotatedV2(v2)),
    ...(registryCa !== undefined && annotated({ 'v2.registryCaSecretRef': registryCa })),
    ...(pins !== undefined && annotated({ 'v1.rootPin': pins })),
    ...(isOptedOut && annotated({ signing: 'disabled' })),
  };
  const notary = unit?.isSection
    ? { v1: { url: unit.url, secretRef: { name: unit.secretName } } }
    : undefined;
  const section = notary && { notary };
  const image = {
    apiVersion: 'kpack.io/v1alpha2',
    kind: 'Image',
    metadata: { ...IMAGE, annotations, ...(owner === 'other Image' && { uid: 'another' }) },
    spec: { tag: tags[0], ...section },
  };
  return {
    pod: podOf(given, annotations),
    build: {
      apiVersion: 'kpack.io/v1alpha2',
      kind: 'Build',
      metadata: {
        ...BUILD,
        annotations,
        ...(owner === 'other Build' && { uid: 'another' }),
        ownerReferences: [
          { apiVersion: image.apiVersion, kind: 'Image', controller: true, ...IMAGE },
        ],
      } as Manifest['metadata'],
      spec: { tags, ...section },
    },
    image: owner === 'no Image' ? undefined : image,
    namespace: signingNamespace('enabled', {
      ...(admin.unit !== 'none' && annotated({ 'v1.secretRef': ADMIN_KEY })),
      ...(admin.unit === 'whole' && annotated({ 'v1.url': ADMIN_URL })),
      ...(admin.unit === 'whole' &&
        admin.ca !== undefined &&
        annotated({ 'v1.caSecretRef': admin.ca })),
      ...(admin.pins !== undefined && annotated({ 'v1.rootPin': admin.pins })),
      ...(admin.v2 && annotatedV2(admin.v2)),
    }),
    serviceAccount: {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'builder', namespace: 'apps' },
      secrets: account.map((name) => ({ name })),
    },
    secrets: [
      secret('notary-creds', {}, { 'kpack.io/notary.v1': ADMIN_URL }),
      secret('own-creds', {}, { 'kpack.io/notary.v1': OWN_URL }),
      ...['registry-creds', 'docker-creds', 'git-basic', ADMIN_KEY, ADMIN_V2_KEY].map((name) =>
        secret(name, {}),
      ),
    ],
  };
}

/** The arguments for Secrets of the service account that kpack gives its own steps. */
export function accountArguments({ account }: Tenants): readonly string[] {
  return account.flatMap((name) => ACCOUNT_SECRETS[name] || []);
}

function podOf(given: Tenants, annotations: Record<string, string>): PodManifest {
  const { unit, isRebase, isWaiting, owner } = given;
  const names = isRebase
    ? ['rebase', 'completion']
    : ['prepare', 'analyze', 'detect', 'restore', 'build', 'export', 'completion'];
  const steps = names.map((name, i) => stepOf(name, names[i - 1], given));
  const mounted = mountedSecrets(given);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'app-build-1-build-pod',
      namespace: 'apps',
      labels: { 'kpack.io/build': BUILD.name },
      annotations,
      ...(owner !== 'none' && {
        ownerReferences: [
          {
            apiVersion: 'kpack.io/v1alpha2',
            kind: 'Build',
            controller: true,
            name: BUILD.name,
            uid: BUILD.uid,
          },
        ],
      }),
    },
    spec: {
      serviceAccountName: 'builder',
      restartPolicy: 'Never',
      volumes: [
        ...mounted.map((name, i) => ({ name: `secret-volume-${i}`, secret: { secretName: name } })),
        { name: 'report-dir', emptyDir: {} },
        {
          name: 'notary-dir',
          ...(unit?.isSection ? { secret: { secretName: unit.secretName } } : { emptyDir: {} }),
        },
        ...boundSecrets(given).map(([volume, name]) => ({
          name: volume,
          secret: { secretName: name },
        })),
        ...(isWaiting ? [{ name: 'build-wait-dir', emptyDir: {} }] : []),
      ],
      imagePullSecrets: given.pullSecrets.map((name) => ({ name })),
      initContainers: isWaiting ? [{ name: 'pre-start', image: 'waiter' }] : steps.slice(0, -1),
      containers: isWaiting ? steps : steps.slice(-1),
    },
  };
}

const mountedSecrets = ({ account }: Tenants) => account.filter((name) => ACCOUNT_SECRETS[name]);

const boundSecrets = ({ services, bindings, isRebase }: Tenants) =>
  isRebase
    ? []
    : [
        ...services.map((name) => [`binding-${name}`, name] as const),
        ...bindings.map((name) => [`binding-secret-${name}`, name] as const),
      ];

function stepOf(name: string, before: string | undefined, given: Tenants): Container {
  const { isWaiting, programs } = given;
  const isOfKpack = ['prepare', 'rebase', 'completion'].includes(name);
  const program = `${isOfKpack ? programs : '/cnb/lifecycle'}/${PROGRAMS[name] ?? `${name}r`}`;
  const words = wordsOf(name, given);
  return {
    name,
    image: `registry.example.com/kpack/${name}`,
    ...stepCommand({ isWaiting, name, before, program, words }),
    env: [
      { name: 'CNB_PLATFORM_API', value: '0.9' },
      ...(name === 'prepare'
        ? given.variables.map((secretName) => ({
            name: 'PLATFORM_ENV_X',
            valueFrom: { secretKeyRef: { name: secretName, key: 'password' } },
          }))
        : []),
    ],
    volumeMounts: [
      ...(isOfKpack
        ? mountedSecrets(given).map((secretName, i) => ({
            name: `secret-volume-${i}`,
            mountPath: `/var/build-secrets/${secretName}`,
          }))
        : []),
      ...(['export', 'rebase', 'completion'].includes(name)
        ? [{ name: 'report-dir', mountPath: '/var/report' }]
        : []),
      ...(name === 'completion' ? [{ name: 'notary-dir', mountPath: '/var/notary/v1' }] : []),
      ...(['detect', 'build'].includes(name)
        ? boundSecrets(given).map(([volume]) => ({
            name: volume,
            mountPath: `/platform/bindings/${volume}`,
          }))
        : []),
      ...(isWaiting ? [{ name: 'build-wait-dir', mountPath: '/buildWait' }] : []),
    ],
  };
}

const PROGRAMS: Readonly<Record<string, string>> = {
  prepare: 'build-init',
  rebase: 'rebase',
  completion: 'completion',
  export: 'exporter',
  build: 'builder',
};

function wordsOf(name: string, given: Tenants): string[] {
  const { unit, tags, cosign, lastImage, runImage } = given;
  const secrets = accountArguments(given);
  switch (name) {
    case 'prepare':
      return [...secrets, '-imagepull=pull-secret'];
    case 'rebase':
      return [
        ...['--run-image', runImage, '--last-built-image', lastImage, '--report', REPORT],
        ...[...secrets, ...tags],
      ];
    case 'export':
      return ['-layers=/layers', `-report=${REPORT}`, ...tags];
    case 'completion':
      return [
        ...(unit?.isSection ? [`-notary-v1-url=${unit.url}`] : []),
        ...secrets,
        ...cosign.map((value) => `-cosign-annotations=team=${value}`),
      ];
    default:
      return ['-layers=/layers'];
  }
}

function annotatedV2({ secretName, stamp }: NonNullable<Tenants['v2']>): Record<string, string> {
  return annotated({
    'v2.secretRef': secretName,
    ...(stamp && { 'v2.timestampUrl': stamp.url, 'v2.timestampCaSecretRef': stamp.ca }),
  });
}

function annotated(members: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [P + name, value]));
}
