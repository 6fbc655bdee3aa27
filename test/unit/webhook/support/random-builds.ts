/** Builds of every shape that kpack gives them, signed by Secrets called notary-signing and notary-v2-signing. */
import { resolve } from 'node:path/posix';
import fc from 'fast-check';
import {
  type BuildFixture,
  changed,
  P,
  type PodManifest,
  secret,
  section,
  signingNamespace,
  URL,
} from '../../../support/build-fixture.ts';
import { allContainers, REPORT, stepCommand, type Container } from '../../../support/pod.ts';
import { waitingForOurs, withoutOurs } from '../../../support/pod-changes.ts';
import { afterPatches } from './pod-patches.ts';
import { harmlessPatches } from './random-patches.ts';
import { podSecurityContexts, resources, securityContexts } from './random-parts.ts';

export interface RandomBuild extends BuildFixture {
  /** Whether kpack's step writes a report, could be asked to, or may not know how to. */
  readonly report: 'written' | 'possible' | 'unknown';
  /** The Secrets with keys. */
  readonly keys: readonly string[];
}

/** kpack's own programs, where buildpacks put them and where its released images have them. */
const KPACK_DIRECTORIES = ['/cnb/process', '/ko-app'] as const;
const PROGRAMS = {
  prepare: 'build-init',
  analyze: '/cnb/lifecycle/analyzer',
  detect: '/cnb/lifecycle/detector',
  restore: '/cnb/lifecycle/restorer',
  build: '/cnb/lifecycle/builder',
  export: '/cnb/lifecycle/exporter',
  rebase: 'rebase',
  completion: 'completion',
} as const;
type StepName = keyof typeof PROGRAMS;
const STEPS = Object.keys(PROGRAMS) as StepName[];
const EXPORTING = ['export', 'rebase'];

const BUILD = { name: 'app-build-1', uid: '7a438c9f-e229-4aa7-aaec-e979dda7880b' };

/** Secrets for registries, each with the argument that names it. */
const REGISTRY_SECRETS = [
  ['registry-creds', '-basic-docker=registry-creds=registry.example.com'],
  ['registry-creds', '-basic-docker=registry-creds=https://other.example.com/v2'],
  ['docker-creds', '-dockerconfig=docker-creds'],
  ['old-creds', '-dockercfg=old-creds'],
] as const;
const TAGS = [
  'registry.example.com/team/app',
  'registry.example.com/team/app:b1.20261123.073341',
  'registry.example.com/other/app:1',
  'localhost:5000/app:latest',
];

/** As one argument to the exporter, as two to kpack's own rebase. */
const REPORT_WORDS = [[`-report=${REPORT}`], ['--report', REPORT]] as const;

const V2_KEY = { [`${P}v2.secretRef`]: 'notary-v2-signing' };
const V2_SETTINGS = {
  [`${P}v2.timestampUrl`]: 'http://timestamp.example.com',
  [`${P}v2.timestampCaSecretRef`]: 'timestamp-ca',
  [`${P}v2.expiry`]: '8760h',
  [`${P}v2.registryCaSecretRef`]: 'registry-ca',
};

const shapes = fc.record({
  exporting: fc.constantFrom('export', 'rebase'),
  isWaiting: fc.boolean(),
  isSignedByKpack: fc.boolean(),
  directory: fc.constantFrom(...KPACK_DIRECTORIES),
  report: fc.constantFrom('written', 'possible', 'unknown'),
  registrySecrets: fc.subarray([...REGISTRY_SECRETS]),
  tags: fc.subarray(TAGS, { minLength: 1 }),
  /** Standard containers wait for one another in whatever order they stand. */
  order: fc.shuffledSubarray(STEPS, { minLength: STEPS.length }),
  parts: fc.record({ resources, securityContext: securityContexts }, { requiredKeys: [] }),
  context: fc.option(podSecurityContexts),
  hasCa: fc.boolean(),
  hasCredentials: fc.boolean(),
  v2: fc.constantFrom(undefined, V2_KEY, { ...V2_KEY, ...V2_SETTINGS }),
  marks: fc.subarray([`${P}injected`, `${P}skipped`]),
});
type Shape = typeof shapes extends fc.Arbitrary<infer Value> ? Value : never;

/** A build as kpack makes it, its pod with whatever people and others put into it. */
export const builds: fc.Arbitrary<RandomBuild> = fc
  .tuple(shapes, fc.array(harmlessPatches, { maxLength: 6 }))
  .map(([shape, patches]) => ({
    pod: afterPatches(podOf(shape), patches),
    report: shape.report,
    ...surroundings(shape),
  }));

/** The same, signed with v2 alone. */
export const buildsOfV2: fc.Arbitrary<RandomBuild> = builds
  .filter(({ build, keys }) => build.spec['notary'] === undefined && keys.length > 1)
  .map((build) => ({
    ...build,
    keys: ['notary-v2-signing'],
    namespace: changed(build.namespace, ({ metadata }) => {
      const others = Object.entries(metadata.annotations ?? {}).filter(
        ([name]) => !name.startsWith(`${P}v1.`),
      );
      metadata.annotations = Object.fromEntries(others);
    }),
  }));

/** What is to become of the pod of a build, without what we add for the signer alone. */
export function takenOver(pod: PodManifest, { report }: RandomBuild): PodManifest {
  return changed(withoutOurs(waitingForOurs(pod)), (copy) => {
    delete copy.metadata.annotations?.[`${P}skipped`];
    const step = allContainers(copy).find(({ name }) => EXPORTING.includes(name));
    if (report !== 'possible' || !step) return;
    const asked = `-report=${REPORT}`;
    const args = step.args ?? [];
    step.args = args.some((arg) => arg.startsWith('-execute='))
      ? args.map((arg) => arg.replace(/^-execute=\S+/, `$& ${asked}`))
      : [asked, ...args];
    (step.volumeMounts ??= []).push({ name: 'report-dir', mountPath: '/var/report' });
    (copy.spec.volumes ??= []).push({ name: 'report-dir', emptyDir: {} });
  });
}

function podOf(shape: Shape): PodManifest {
  const { exporting, isWaiting, isSignedByKpack, order, context, marks } = shape;
  const isOfBuild = (name: StepName) =>
    exporting === 'rebase' ? name === 'rebase' || name === 'completion' : name !== 'rebase';
  const chain = STEPS.filter(isOfBuild);
  const step = (name: StepName) => stepOf(name, chain[chain.indexOf(name) - 1], shape);
  const { initContainers, containers } = isWaiting
    ? {
        initContainers: [{ name: 'pre-start', image: 'build-waiter', args: ['-mode=copy'] }],
        containers: order.filter(isOfBuild).map(step),
      }
    : { initContainers: chain.slice(0, -1).map(step), containers: [step('completion')] };
  const volumes = [
    ...secretsOf(shape).map((name) => ({
      name: `volume-of-${name}`,
      secret: { secretName: name },
    })),
    { name: 'layers-dir', emptyDir: {} },
    ...(shape.report === 'written' ? [{ name: 'report-dir', emptyDir: {} }] : []),
    {
      name: 'notary-dir',
      ...(isSignedByKpack ? { secret: { secretName: 'notary-signing' } } : { emptyDir: {} }),
    },
    ...(isWaiting ? [{ name: 'build-wait-dir', emptyDir: {} }] : []),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'app-build-1-build-pod',
      namespace: 'apps',
      labels: { 'kpack.io/build': BUILD.name },
      ...(marks.length > 0 && {
        annotations: Object.fromEntries(marks.map((name) => [name, 'by somebody else'])),
      }),
      ownerReferences: [
        { apiVersion: 'kpack.io/v1alpha2', kind: 'Build', controller: true, ...BUILD },
      ],
    },
    spec: {
      volumes,
      initContainers,
      containers,
      restartPolicy: 'Never',
      serviceAccountName: 'builder',
      ...(context && { securityContext: context }),
    },
  };
}

function stepOf(name: StepName, before: StepName | undefined, shape: Shape): Container {
  const { isWaiting, isSignedByKpack, directory, report, registrySecrets, tags, parts } = shape;
  const isExport = EXPORTING.includes(name);
  const isReporting = report === 'written' && (isExport || name === 'completion');
  const isGivenSecrets = ['prepare', 'rebase', 'completion'].includes(name);
  const words = [
    ...(name === 'completion' && isSignedByKpack ? [`-notary-v1-url=${URL}`] : []),
    ...(isExport && isReporting ? REPORT_WORDS[name === 'rebase' ? 1 : 0] : []),
    ...(isGivenSecrets ? registrySecrets.map(([, argument]) => argument) : []),
    ...(isExport ? tags : ['-layers=/layers']),
  ];
  const program = resolve(directory, PROGRAMS[name]);
  return {
    name,
    image: `registry.example.com/kpack/${name}`,
    ...stepCommand({ isWaiting, name, before, program, words }),
    ...(report !== 'unknown' && { env: [{ name: 'CNB_PLATFORM_API', value: '0.9' }] }),
    volumeMounts: [
      { name: 'layers-dir', mountPath: '/layers' },
      ...(isReporting ? [{ name: 'report-dir', mountPath: '/var/report' }] : []),
      ...(name === 'completion'
        ? [{ name: 'notary-dir', readOnly: true, mountPath: '/var/notary/v1' }]
        : []),
      ...(isGivenSecrets
        ? secretsOf(shape).map((secret) => ({
            name: `volume-of-${secret}`,
            mountPath: `/var/build-secrets/${secret}`,
          }))
        : []),
      ...(isWaiting ? [{ name: 'build-wait-dir', mountPath: '/buildWait' }] : []),
    ],
    ...parts,
  };
}

const secretsOf = ({ registrySecrets }: Shape) => [
  ...new Set(registrySecrets.map(([name]) => name)),
];

/** The cluster around it: kpack's own signer needs a section, else the admin asks. */
function surroundings({ isSignedByKpack, tags, hasCa, hasCredentials, v2 }: Shape) {
  const byNamespace = {
    [`${P}v1.url`]: URL,
    [`${P}v1.secretRef`]: 'notary-signing',
    ...(hasCa && { [`${P}v1.caSecretRef`]: 'notary-ca' }),
  };
  const meta = { namespace: 'apps' };
  return {
    keys: ['notary-signing', ...(v2 ? ['notary-v2-signing'] : [])],
    namespace: signingNamespace('enabled', { ...(!isSignedByKpack && byNamespace), ...v2 }),
    build: {
      apiVersion: 'kpack.io/v1alpha2',
      kind: 'Build',
      metadata: { ...meta, ...BUILD },
      spec: { tags, ...(isSignedByKpack && { notary: section() }) },
    },
    image: undefined,
    serviceAccount: {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { ...meta, name: 'builder' },
      secrets: hasCredentials ? [{ name: 'notary-creds' }] : [],
    },
    secrets: [
      secret('notary-signing', {}),
      secret('notary-creds', {}, { 'kpack.io/notary.v1': URL }),
    ],
  };
}
