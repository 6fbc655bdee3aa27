import t from 'tap';
import type { Cluster } from '../../../../src/shared/kubernetes/cluster.ts';
import { KPACK_USER } from '../../../bed/webhook.ts';
import {
  buildFixture,
  changed,
  manifestsOf,
  secret,
  section,
  setSection,
  URL,
} from '../../../support/build-fixture.ts';
import { ask, inject, memoryCluster } from '../../../support/asking.ts';
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
