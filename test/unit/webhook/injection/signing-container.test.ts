import t from 'tap';
import { readFlags } from '../../../../src/shared/flags.ts';
import { SIGNER_FLAGS } from '../../../../src/shared/signer-flags.ts';
import { inject } from '../../../support/asking.ts';
import { resourceProblems, restrictedViolations } from '../../../support/pod-rules.ts';
import {
  container,
  mountAt,
  SIGNER,
  signerFlags,
  volume,
  type Container,
} from '../../../support/pod.ts';
import { annotate, buildFixture, PIN } from '../../../support/build-fixture.ts';

t.test(
  'the signing container runs as the user of the pod, or as one that is not root',
  async (t) => {
    for (const [podUser, own] of [
      [1000, undefined],
      [65534, undefined],
      [undefined, 65532],
      [0, 65532],
    ] as const) {
      const given = buildFixture();
      const context = (given.pod.spec.securityContext ??= {});
      if (podUser === undefined) delete context.runAsUser;
      else context.runAsUser = podUser;
      const pod = await inject(given);
      const { securityContext } = container(pod, SIGNER);
      t.equal(securityContext?.runAsUser, own, `user ${podUser} of the pod`);
      t.equal(securityContext?.runAsNonRoot, true);
      t.equal(pod.spec.securityContext?.runAsUser, podUser);
      t.same(restrictedViolations(pod, container(pod, SIGNER)), []);
    }
    const rebase = await inject(buildFixture('v0.2.0/05b-rebase-notary'));
    t.equal(container(rebase, SIGNER).securityContext?.runAsUser, 65532, 'no context at all');
  },
);

t.test(
  'our Secrets can be read by the group of the pod, or by all where it has none',
  async (t) => {
    for (const [fsGroup, mode] of [
      [1000, 0o440],
      [0, 0o440],
      [undefined, 0o444],
    ] as const) {
      const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
      annotate(given, { 'notary.kpack.io/v1.caSecretRef': 'notary-ca' });
      given.pod.spec.securityContext = {
        runAsUser: 1000,
        ...(fsGroup !== undefined && { fsGroup }),
      };
      const pod = await inject(given);
      const ours = (pod.spec.volumes ?? []).filter(({ name }) => name.startsWith('notary-sign-'));
      const secrets = ours.flatMap(({ secret }) => (secret ? [secret] : []));
      t.same(secrets.map(({ secretName }) => secretName).sort(), [
        'notary-ca',
        'notary-creds',
        'notary-signing',
      ]);
      for (const { defaultMode, items } of secrets) {
        t.equal(defaultMode, mode, `fsGroup ${fsGroup}`);
        t.equal(items, undefined);
      }
    }
  },
);

t.test('each Secret is mounted where the flags say', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  annotate(given, {
    'notary.kpack.io/v1.caSecretRef': 'notary-ca',
    'notary.kpack.io/v1.rootPin': `${PIN}, ${'c3'.repeat(32)}`,
    'notary.kpack.io/on-failure': 'warn',
  });
  const pod = await inject(given);
  const signer = container(pod, SIGNER);
  const secretAt = (path: string) =>
    volume(pod, mountAt(signer, path)?.name ?? '').secret?.secretName;
  const flags = signerFlags(pod);
  t.equal(secretAt(flags['key-dir']?.[0] ?? ''), 'notary-signing');
  const [caFile = ''] = flags['ca-file'] ?? [];
  t.match(caFile, /\/ca\.crt$/);
  t.equal(secretAt(caFile.replace(/\/ca\.crt$/, '')), 'notary-ca');
  t.equal(flags['notary-credentials']?.length, 1);
  const [host, directory = ''] = (flags['notary-credentials']?.[0] ?? '').split('=');
  t.equal(host, 'notary.example.com:4443');
  t.equal(secretAt(directory), 'notary-creds');
  t.same(flags['root-pin'], [PIN, 'c3'.repeat(32)]);
  t.same(flags['on-failure'], ['warn']);
  t.same(flags['termination-log'], [signer.terminationMessagePath]);
});

t.test('the signing container asks for what the step before it asks for', async (t) => {
  type Resources = NonNullable<Container['resources']>;
  const cases: readonly (readonly [what: string, step: Resources | undefined, ours: Resources])[] =
    [
      [
        'nothing: the settings, without a CPU limit that would slow it down',
        undefined,
        { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '128Mi' } },
      ],
      [
        'nothing in it: the settings, without a CPU limit',
        {},
        { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '128Mi' } },
      ],
      [
        'everything',
        { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '2Gi' } },
        { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '2Gi' } },
      ],
      [
        'limits alone: they are the requests',
        { limits: { cpu: '50m', memory: '2Gi' } },
        { requests: { cpu: '50m', memory: '2Gi' }, limits: { cpu: '50m', memory: '2Gi' } },
      ],
      [
        'a request above the settings: that is the limit of memory',
        { requests: { cpu: '0.5', memory: '1G' } },
        { requests: { cpu: '0.5', memory: '1G' }, limits: { memory: '1G' } },
      ],
      [
        'a request below the settings: they are the limit of memory',
        { requests: { cpu: '99m', memory: '100M' } },
        { requests: { cpu: '99m', memory: '100M' }, limits: { memory: '128Mi' } },
      ],
      [
        'one of each',
        { requests: { cpu: '1' }, limits: { memory: '64Mi' } },
        { requests: { cpu: '1', memory: '64Mi' }, limits: { memory: '64Mi' } },
      ],
      [
        'other resources too',
        { requests: { 'ephemeral-storage': '1Gi' }, limits: { 'ephemeral-storage': '2Gi' } },
        {
          requests: { 'ephemeral-storage': '1Gi', cpu: '100m', memory: '128Mi' },
          limits: { 'ephemeral-storage': '2Gi', memory: '128Mi' },
        },
      ],
    ];
  for (const [what, resources, ours] of cases) {
    const given = buildFixture();
    const step = container(given.pod, 'export');
    if (resources) step.resources = resources;
    else delete step.resources;
    const pod = await inject(given);
    t.same(container(pod, SIGNER).resources, ours, what);
    t.same(resourceProblems(container(pod, SIGNER)), []);
    t.same(container(pod, 'export').resources, resources, 'the step keeps its own');
  }
});

t.test('a failing signer fails the build, whatever its environment says', async (t) => {
  const { args = [] } = container(await inject(buildFixture()), SIGNER);
  const { values } = readFlags(SIGNER_FLAGS, args, { KPACK_NOTARY_ON_FAILURE: 'warn' });
  t.not(values['on-failure'].at(-1), 'warn');
});
