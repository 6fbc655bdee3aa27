/** Certificates that look after themselves, against the real API server. */
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KubeConfig } from '@kubernetes/client-node';
import { certificateCluster } from '../../src/webhook/certificates/certificate-cluster.ts';
import type { ConfigurationKind } from '../../src/webhook/certificates/certificate-plan.ts';
import { accessSource } from '../../src/shared/kubernetes/kubernetes-access.ts';
import { readStoredTrust } from '../../src/webhook/certificates/issuing-ca.ts';
import { succeed } from '../bed/command.ts';
import { demand } from '../bed/kube-client.ts';
import {
  CONFIGURATIONS,
  NAMESPACE,
  SECRET,
  servedTo,
  startCertificateSetup,
  startReplica,
  wellAfter,
  type Configuration,
  type Replica,
} from './support/certificate-setup.ts';
import { ownKubeconfig } from '../support/kubernetes-setup.ts';
import { until } from '../support/program.ts';

/** What is broken is well again after this, in milliseconds. */
const HEALED = 30_000;

const setup = await startCertificateSetup(t, 3);
const { api, apiserver, replicas } = setup;
/** Every private key that ever stood in the Secret. */
const keys = new Set<string>();

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The issuers that the Secret holds, the one that issues first. */
async function storedIssuers() {
  const { data = {} } = (await setup.secret()) ?? {};
  const { issuers } = readStoredTrust(data);
  for (const { key } of issuers) keys.add(key);
  return issuers;
}

/** Whether all is well, and every replica serves what the Secret's own CA issued. */
async function isIssuedAnew(): Promise<boolean> {
  const [newest] = await storedIssuers();
  if (!newest || !(await setup.isWell())) return false;
  const [bundle = ''] = await setup.bundles();
  const leaves = await Promise.all(replicas.map(({ port }) => servedTo(port, bundle)));
  const { publicKey } = new X509Certificate(newest.pem);
  return leaves.every((leaf) => leaf && new X509Certificate(leaf).verify(publicKey));
}

/** How often a replica has looked after its certificate. */
async function checksOf({ metricsPort }: Replica): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/^kpack_notary_certificate_checks_total\{result="ok"\} (\d+)$/m.exec(metrics)?.[1]);
}

/** Asks again and again while something is done. */
async function whileAsked(t: Test, work: () => Promise<void>): Promise<void> {
  const ending = new AbortController();
  const asking = (async () => {
    let asked = 0;
    while (!ending.signal.aborted) {
      const answer = await setup.ask();
      if (!answer.ok) t.fail(`refused after ${asked}: ${answer.failure.message}`);
      asked += 1;
    }
    return asked;
  })();
  await work();
  ending.abort();
  t.ok((await asking) > 10, 'it was asked all the while');
}

t.test('replicas that start at once agree on one CA', async (t) => {
  await setup.configure();
  t.ok((await wellAfter(setup)) < HEALED);
  t.equal((await storedIssuers()).length, 1);
  const secret = await setup.secret();
  const [bundle = ''] = await setup.bundles();
  t.equal(bundle, secret?.data?.['ca.crt'], 'the bundle trusts what the Secret holds, and no more');
});

t.test('what is served stands before openssl in its strictest mode', async (t) => {
  const directory = t.testdir();
  const [bundle = ''] = await setup.bundles();
  await writeFile(join(directory, 'ca.pem'), Buffer.from(bundle, 'base64'));
  for (const { port } of replicas) {
    const leaf = await servedTo(port, bundle);
    if (!leaf) throw new Error('nothing is served');
    const { raw, subjectAltName } = new X509Certificate(leaf);
    const name = `localhost.${NAMESPACE}`;
    t.equal(
      subjectAltName,
      ['localhost', name, `${name}.svc`, `${name}.svc.cluster.local`]
        .map((host) => `DNS:${host}`)
        .join(', '),
    );
    const pem = `-----BEGIN CERTIFICATE-----\n${raw.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    await writeFile(join(directory, 'leaf.pem'), pem);
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', 'ca.pem'];
    const hosts = ['-verify_hostname', `${name}.svc`];
    const said = await succeed({
      program: 'openssl',
      args: [...args, ...hosts, 'leaf.pem'],
      directory,
    });
    t.equal(said, 'leaf.pem: OK\n');
  }
});

const SECRET_DAMAGE: Readonly<Record<string, () => Promise<unknown>>> = {
  'that was deleted': async () => demand(await api.delete(SECRET)),
  'that was emptied': async () => demand(await api.patch(SECRET, { data: null })),
  'with the key of another': async () => {
    const { keyPem } = await apiserver.authority.issue({ name: 'another' });
    return demand(await api.patch(SECRET, { data: { 'ca.key': base64(keyPem) } }));
  },
  'that was garbled': async () => {
    const data = { 'ca.crt': base64('-----BEGIN'), 'ca.key': base64('\u0000') };
    return demand(await api.patch(SECRET, { data }));
  },
};

for (const [what, damage] of Object.entries(SECRET_DAMAGE)) {
  t.test(`a Secret ${what} heals, and nobody is refused meanwhile`, async (t) => {
    const before = await storedIssuers();
    demand(await api.patch(SECRET, { metadata: { labels: { note: 'kept' } } }));
    await whileAsked(t, async () => {
      const started = performance.now();
      await damage();
      await until(isIssuedAnew);
      const took = performance.now() - started;
      t.ok(took < HEALED, `it took ${Math.round(took)} ms`);
    });
    const [newest] = await storedIssuers();
    t.notOk(before.some(({ fingerprint }) => fingerprint === newest?.fingerprint));
    const { metadata } = demand(await api.get(SECRET)) as Labelled;
    t.equal(metadata.labels?.['note'], what === 'that was deleted' ? undefined : 'kept');
  });
}

interface Labelled {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
}

/** Every entry, with another `caBundle`. */
async function replaceBundles(of: (at: number, caBundle: string) => string): Promise<void> {
  for (const reference of CONFIGURATIONS) {
    const live = demand(await api.get(reference)) as unknown as Configuration;
    for (const [at, { clientConfig }] of live.webhooks.entries()) {
      clientConfig.caBundle = of(at, clientConfig.caBundle ?? '');
    }
    demand(await api.update(live));
  }
}

const BUNDLE_DAMAGE: Readonly<Record<string, () => Promise<void>>> = {
  'that was emptied': () => replaceBundles(() => ''),
  'that trusts another': () => replaceBundles(() => base64(apiserver.authority.certificatePem)),
  'that one entry lacks': () => replaceBundles((at, caBundle) => (at === 1 ? '' : caBundle)),
};

for (const [what, damage] of Object.entries(BUNDLE_DAMAGE)) {
  t.test(`a caBundle ${what} heals`, async (t) => {
    await damage();
    const took = await wellAfter(setup);
    t.ok(took < HEALED, `it took ${Math.round(took)} ms`);
  });
}

t.test('what somebody else wants trusted stays so until they take it out', async (t) => {
  const another = apiserver.authority.certificatePem.trim();
  const textOf = async () => Buffer.from((await setup.bundles())[0] ?? '', 'base64').toString();
  t.match(await textOf(), another);
  const without = (await textOf()).replace(`${another}\n`, '');
  await replaceBundles(() => base64(without));
  await wellAfter(setup);
  await replaceBundles(() => '');
  await wellAfter(setup);
  t.notMatch(await textOf(), another);
});

t.test(
  'manifests without a caBundle, applied either way, conflict with nothing and reset nothing',
  async (t) => {
    const before = await setup.bundles();
    for (const configuration of await setup.configurations()) {
      demand(await api.apply(configuration, { force: false }));
      t.same(await setup.bundles(), before, 'applied by the server');
      demand(await api.patch(configuration, configuration, { merge: 'strategic' }));
      t.same(await setup.bundles(), before, 'applied by the client');
    }
  },
);

t.test('of the configurations, the caBundle alone is ours', async (t) => {
  for (const reference of CONFIGURATIONS) {
    const { metadata } = demand(await api.get(reference)) as unknown as Managed;
    const [ours, ...others] = metadata.managedFields.filter(
      ({ manager }) => manager === 'kpack-notary-webhook',
    );
    t.same(others, []);
    t.equal(ours?.operation, 'Apply');
    for (const fields of Object.values(ours?.fieldsV1['f:webhooks'] ?? {})) {
      t.same(fields, { '.': {}, 'f:clientConfig': { 'f:caBundle': {} }, 'f:name': {} });
    }
  }
});

interface Managed {
  readonly metadata: {
    readonly managedFields: readonly {
      readonly manager: string;
      readonly operation: string;
      readonly fieldsV1: { readonly 'f:webhooks'?: Readonly<Record<string, object>> };
    }[];
  };
}

t.test('an entry that the admin takes away stays away', async (t) => {
  const [, reference] = CONFIGURATIONS;
  if (!reference) throw new Error('no configuration');
  const before = (await setup.bundles()).length;
  const removal = { webhooks: [{ $patch: 'delete', name: 'namespaces.notary.kpack.io' }] };
  demand(await api.patch(reference, removal, { merge: 'strategic' }));
  t.equal((await setup.bundles()).length, before - 1);
  await replaceBundles(() => '');
  await wellAfter(setup);
  t.equal((await setup.bundles()).length, before - 1);
  await setup.configure();
  await wellAfter(setup);
  t.equal((await setup.bundles()).length, before, 'and one that comes back is trusted again');
});

t.test(
  'applied by the server, a manifest without an entry is refused until it is removed',
  async (t) => {
    const whole = await setup.configurations();
    const [, validating] = whole;
    if (!validating) throw new Error('no configuration');
    const without = { ...validating, webhooks: validating.webhooks.slice(0, -1) };
    const { name = '' } = validating.webhooks.at(-1) ?? {};
    t.equal((await api.apply(without, { force: false })).status, 422);
    const removal = { webhooks: [{ $patch: 'delete', name }] };
    demand(await api.patch(validating, removal, { merge: 'strategic' }));
    demand(await api.apply(without, { force: false }));
    t.ok((await wellAfter(setup)) < HEALED);
    await setup.configure();
    await wellAfter(setup);
  },
);

t.test('a configuration that vanishes before it is written is not made by us', async (t) => {
  const config = new KubeConfig();
  config.loadFromFile(await ownKubeconfig(apiserver));
  const cluster = certificateCluster(accessSource(config), {
    namespace: NAMESPACE,
    secret: SECRET.metadata.name,
    configuration: 'kpack-notary',
  });
  const { signal } = new AbortController();
  const { seen, problems } = await cluster.look(signal);
  t.same(problems, []);
  for (const reference of CONFIGURATIONS) {
    const configuration = seen.configurations[reference.kind as ConfigurationKind];
    if (typeof configuration === 'string') throw new Error('it was not there');
    demand(await api.delete(reference));
    await t.rejects(cluster.applyCaBundle(configuration, 'eA==', signal), /HTTP 422/);
    t.equal((await api.get(reference)).status, 404);
  }
  await setup.configure();
  t.ok((await wellAfter(setup)) < HEALED);
});

t.test('a stolen CA is not trusted any more after what the page says', async (t) => {
  const [stolen] = await storedIssuers();
  demand(await api.delete(SECRET));
  await until(async () => (await storedIssuers()).length > 0);
  await Promise.all(replicas.map((replica) => replica.restart()));
  await until(isIssuedAnew);
  const { data = {} } = (await setup.secret()) ?? {};
  await whileAsked(t, async () => {
    await replaceBundles(() => data['ca.crt'] ?? '');
    // Every replica looks, and leaves it so.
    const checks = await Promise.all(replicas.map(checksOf));
    await until(async () => {
      const later = await Promise.all(replicas.map(checksOf));
      return later.every((count, at) => count > (checks[at] ?? 0) + 1);
    });
  });
  const text = Buffer.from((await setup.bundles())[0] ?? '', 'base64').toString();
  t.notMatch(text, stolen?.pem.trim());
});

t.test('while the API server is away, what is served stays trusted', async (t) => {
  const [bundle = ''] = await setup.bundles();
  apiserver.service.freeze();
  try {
    await until(() =>
      replicas.every((replica) => /no answer within|timeout/i.test(replica.output())),
    );
    for (const { port } of replicas) t.ok(await servedTo(port, bundle));
  } finally {
    apiserver.service.thaw();
  }
  demand(await api.delete(SECRET));
  const started = performance.now();
  await until(isIssuedAnew);
  t.ok(performance.now() - started < HEALED);
});

t.test(
  'a replica without rights serves nothing that could be trusted, and says what it lacks',
  async (t) => {
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: NAMESPACE },
    };
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
      status: { token: '' },
    };
    const { status } = demand(await api.createSubresource(account, 'token', request));
    const replica = await startReplica(
      t,
      apiserver,
      await apiserver.kubeconfig('poor', status.token),
    );
    await until(() => replica.output().includes('cannot be looked after'));
    t.match(replica.output(), /Role in the namespace kpack-notary .*secrets.*get/);
    t.match(replica.output(), /ClusterRole .*mutatingwebhookconfigurations.*get/);
    const [bundle = ''] = await setup.bundles();
    t.equal(await servedTo(replica.port, bundle), undefined);
  },
);

t.test('metrics tell when what is served ends, and its CA', async (t) => {
  const [newest] = await storedIssuers();
  for (const { metricsPort } of replicas) {
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const valueOf = (name: string) =>
      Number(new RegExp(`^kpack_notary_${name} (.*)$`, 'm').exec(metrics)?.[1]);
    const days =
      (valueOf('certificate_expiration_timestamp_seconds') * 1000 - Date.now()) / 86_400_000;
    t.ok(days > 6.9 && days <= 7, `${days} days`);
    t.equal(valueOf('authority_expiration_timestamp_seconds'), (newest?.ends ?? 0) / 1000);
  }
});

t.test('no private key was ever told', async (t) => {
  t.ok(keys.size >= 5);
  const told = replicas.map((replica) => replica.output()).join('\n');
  t.match(told, 'made a new CA');
  const live = await Promise.all(CONFIGURATIONS.map((one) => api.get(one)));
  const text =
    told +
    JSON.stringify(live) +
    Buffer.from((await setup.bundles()).join(''), 'base64').toString();
  t.notMatch(text, 'PRIVATE KEY');
  for (const key of keys) {
    for (const line of key.split('\n').filter((line) => /^[\w+/=]{16,}$/.test(line))) {
      t.notOk(text.includes(line));
    }
  }
});
