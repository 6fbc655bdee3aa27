import t from 'tap';
import type { Cluster } from '../../../../src/shared/kubernetes/cluster.ts';
import { KPACK_USER } from '../../../bed/webhook.ts';
import {
  ADMIN,
  ADMIN_V2,
  annotate,
  buildFixture,
  changed,
  DEVELOPER_V2,
  manifestsOf,
  P,
  secret,
  section,
  setSection,
  signingNamespace,
  unconfiguredBuild,
  URL,
} from '../../../support/build-fixture.ts';
import {
  ask,
  countingRounds,
  inject,
  memoryCluster,
  mutate,
  verdictOf,
} from '../../../support/asking.ts';
import { signerFlags } from '../../../support/pod.ts';

t.test('names and versions of a pod do not choose what is read', async (t) => {
  const odd = 'kpack.io/v1alpha2/../../../api/v1/namespaces/kube-system/secrets/x?';
  const given = buildFixture();
  for (const reference of given.pod.metadata.ownerReferences ?? []) reference.apiVersion = odd;
  const asked: string[] = [];
  const cluster = memoryCluster(manifestsOf(given));
  const watched: Cluster = {
    ...cluster,
    get: (reference) => {
      asked.push(reference.apiVersion);
      return cluster.get(reference);
    },
  };
  for (const username of [KPACK_USER, 'developer']) {
    await ask('mutate', given.pod, watched, { username });
  }
  t.notMatch(asked.join(), /\.\./);
});

t.test('credentials are those that the service account has for this server', async (t) => {
  const servers: Record<string, string> = {
    'as-url': 'https://notary.example.com:4443/',
    'as-host': 'notary.example.com:4443',
    'other-port': 'notary.example.com',
    'other-host': 'https://registry.example.com',
    'no-host': 'https://',
    empty: '',
  };
  const given = buildFixture();
  given.serviceAccount.secrets = [
    { name: 'not-there' },
    { name: 'as-host' },
    ...Object.keys(servers).map((name) => ({ name })),
  ];
  for (const [name, server] of Object.entries(servers)) {
    given.secrets.push(secret(name, {}, { 'kpack.io/notary.v1': server }));
  }
  given.secrets.push(secret('not-of-the-account', {}, { 'kpack.io/notary.v1': URL }));
  const pod = await inject(given);
  const mounted = (pod.spec.volumes ?? []).flatMap(({ name, secret }) =>
    name.startsWith('notary-sign-credentials-') ? [secret?.secretName] : [],
  );
  t.same(mounted, ['as-host', 'as-url'], 'in the order of the service account, each once');

  for (const [url, server, isMeant] of [
    ['https://notary.example.com', 'notary.example.com:443', true],
    ['https://notary.example.com:443', 'notary.example.com', true],
    ['https://NOTARY.example.com/base', 'https://Notary.Example.com', true],
    ['https://notary.example.com', 'notary.example.com:4443', false],
    ['https://[::1]:4443', '[::1]:4443', true],
  ] as const) {
    const given = buildFixture();
    setSection(given, section(url));
    given.serviceAccount.secrets = [{ name: 'creds' }];
    given.secrets.push(secret('creds', {}, { 'kpack.io/notary.v1': server }));
    const flags = signerFlags(await inject(given));
    t.equal(flags['notary-credentials']?.length, isMeant ? 1 : undefined, `${url}, ${server}`);
  }
});

t.test('a pod without a named service account is one of the account default', async (t) => {
  const given = buildFixture();
  delete given.pod.spec.serviceAccountName;
  const account = changed(given.serviceAccount, (account) => {
    (account.metadata as { name: string }).name = 'default';
    account.secrets = [{ name: 'creds' }];
  });
  given.secrets.push(secret('creds', {}, { 'kpack.io/notary.v1': URL }));
  const flags = signerFlags(await inject({ ...given, serviceAccount: account }));
  t.equal(flags['notary-credentials']?.length, 1);
});

t.test('v2 of Build or Namespace adds the reads of its own Secrets, and no round', async (t) => {
  const readsOf = async (annotations: Record<string, string>, own: Record<string, string> = {}) => {
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('enabled', annotations));
    annotate(given, own);
    const { cluster, rounds } = countingRounds(memoryCluster(manifestsOf(given)));
    t.equal(verdictOf(await ask('mutate', given.pod, cluster)), 'patched');
    return rounds.map((kinds) => [...kinds].sort());
  };
  const first = ['Build', 'Namespace', 'ServiceAccount'];
  const secrets = (count: number) => Array.from({ length: count }, () => 'Secret');
  const account = buildFixture().serviceAccount.secrets?.length ?? 0;
  const v1 = account + 1;
  t.same(await readsOf({}), [first, ['Image', ...secrets(v1)]], 'v1 alone');
  t.same(await readsOf(ADMIN), [first, ['Image', ...secrets(v1)]], "v1 alone, not the admin's");
  t.same(await readsOf(ADMIN_V2), [first, ['Image', ...secrets(v1 + 2)]]);
  t.same(await readsOf(ADMIN_V2, DEVELOPER_V2), [first, ['Image', ...secrets(v1 + 2)]]);
  const shared = { [`${P}v2.secretRef`]: 'notary-signing' };
  t.same(await readsOf({}, shared), [first, ['Image', ...secrets(v1)]], 'the same Secret once');
});

t.test('Secrets that v2 needs and that are not there are told', async (t) => {
  const given = unconfiguredBuild({ ...ADMIN_V2, [`${P}v2.registryCaSecretRef`]: 'registry-ca' });
  const told = async () =>
    ((await mutate(given)).warnings ?? []).filter((text) => text.includes('is not in namespace'));
  t.match(await told(), [
    /the v2 signing Secret admin-v2-key .* Create it with the certificate chain in tls\.crt, and tls\.key/,
    /the timestamp CA Secret admin-timestamp-ca .* under ca\.crt/,
    /the registry CA Secret registry-ca .* under ca\.crt/,
  ]);
  given.secrets.push(secret('admin-v2-key', {}), secret('registry-ca', {}));
  t.match(await told(), [/timestamp CA/]);
  given.secrets.push(secret('admin-timestamp-ca', {}));
  t.same(await told(), []);
});

t.test('too many Secrets matter where credentials of v1 are among them', async (t) => {
  const many = Array.from({ length: 201 }, (_, i) => ({ name: `s${i}` }));
  for (const [annotations, verdict] of [
    [ADMIN_V2, 'patched'],
    [{ ...ADMIN, ...ADMIN_V2 }, '422 SECRETS_TOO_MANY'],
  ] as const) {
    const given = unconfiguredBuild(annotations);
    given.serviceAccount.secrets = many;
    t.equal(verdictOf(await mutate(given)), verdict);
  }
});
