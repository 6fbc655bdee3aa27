/** Every right of our account is used, by the audit log of a real API server. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { demand } from '../bed/kube-client.ts';
import { buildFixture } from '../support/build-fixture.ts';
import { until } from '../support/program.ts';
import { startInstallation } from './installation.ts';
import { customization, deployDirectory, deployedObjects } from './manifests.ts';
import { accountName, permissionsOf, spelled, type Permission } from './permissions.ts';

const cluster = await startInstallation(t, { audit: true });
const { apiserver, api, kubectl } = cluster;

const OURS = accountName('kpack-notary', 'kpack-notary-webhook');
const NOBODY = accountName('kpack-notary', 'default');
const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'kpack-notary-authority', namespace: 'kpack-notary' },
};
const CONFIGURATION = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'kpack-notary' },
};
const VALIDATING = { ...CONFIGURATION, kind: 'ValidatingWebhookConfiguration' };
/** Init containers, and standard containers, where LimitRanges are read. */
const FIXTURES = ['v0.17.2/02b-notary-registry-secrets', 'v0.17.2/07b-standard-containers-notary'];

t.test('as it is, each right is used within one life of a certificate, and no other', async (t) => {
  await cluster.install();
  const objects = await deployedObjects(deployDirectory());
  const webhook = await cluster.replica(objects);
  await cluster.namespace('apps', 'enabled');
  for (const fixture of FIXTURES) await sign('apps', fixture);
  // What a rotation does, and what somebody's mistake makes necessary.
  demand(await api.patch(SECRET, { data: null }));
  await until(async () => Object.keys((await secret()).data ?? {}).length > 0);
  const [entry] = (await configuration()).webhooks;
  // The webhook may write at the same moment, and then this is refused as a conflict.
  await until(async () => (await api.update(withoutBundle(await configuration()))).ok);
  await until(async () => (await configuration()).webhooks.every(hasBundle));
  t.ok(entry && hasBundle(entry));

  const granted = await grantedTo('kpack-notary', 'apps');
  const { used, refused } = await requests();
  for (const permission of granted) t.ok(isUsed(permission, used), permission);
  t.same(refused, []);
  await webhook.stop();
});

t.test('with certificate files it does with reading, and is refused nothing', async (t) => {
  const customized = await customization(t.testdir(), ['certificate-files']);
  await cluster.install(customized);
  const { certificateFile, keyFile } = await apiserver.authority.issue({
    name: 'webhook',
    hosts: ['kpack-notary-webhook.kpack-notary.svc'],
  });
  // Whoever makes the certificate writes this, too.
  const caBundle = Buffer.from(apiserver.authority.certificatePem).toString('base64');
  for (const reference of [CONFIGURATION, VALIDATING]) {
    const found = demand(await api.get(reference)) as Configuration;
    const webhooks = found.webhooks.map((entry) => ({
      ...entry,
      clientConfig: { ...entry.clientConfig, caBundle },
    }));
    demand(await api.update({ ...found, webhooks }));
  }
  const before = (await auditLog()).length;
  const webhook = await cluster.replica(await deployedObjects(customized), {
    KPACK_NOTARY_TLS_CERT: certificateFile,
    KPACK_NOTARY_TLS_KEY: keyFile,
  });
  await cluster.namespace('with-files', 'enabled');
  for (const fixture of FIXTURES) await sign('with-files', fixture);

  const granted = await grantedTo('kpack-notary', 'with-files');
  const { used, refused } = await requests(before);
  t.notOk(granted.some((permission) => !/^(get|list) /.test(permission)));
  for (const permission of granted) t.ok(isUsed(permission, used), permission);
  t.same(refused, []);
  await webhook.stop();
});

t.test(
  'without a right to Secrets, a build waits and is told which one; given, it goes on',
  async (t) => {
    await kubectl.succeed([
      ...['apply', '-k', await customization(t.testdir(), ['namespace-permissions'])],
    ]);
    const webhook = await cluster.replica(await deployedObjects(deployDirectory()));
    await cluster.namespace('granted', 'enabled');
    const { pod, image } = await cluster.store(buildFixture(FIXTURES[0] ?? ''), 'granted');
    // The API server hears of bindings a moment later.
    await until(async () => !(await cluster.post(pod, { dryRun: true })).ok);
    const { failure } = await cluster.post(pod, { dryRun: true });
    t.match(failure, {
      code: 503,
      message: /CLUSTER_UNAVAILABLE.*resources: \["secrets"\], verbs: \["get"\]/s,
    });
    t.match(
      await webhook.metrics(),
      /kpack_notary_kubernetes_requests_total\{kind="Secret",result="forbidden"\} [1-9]/,
    );
    if (image === undefined) throw new Error('the fixture has no Image');
    const metadata = { name: 'another', namespace: 'granted' };
    const written = await api.create({ ...image, metadata }, { dryRun: true });
    t.ok(written.ok, 'Images are written all the same');
    t.match(written.warnings.join(), 'Namespace, service account and Secrets could not be checked');

    const directory = join(deployDirectory(), 'opted-in-namespace');
    const applied = await kubectl.run(['apply', '--namespace=granted', '-k', directory]);
    t.equal(applied.stderr, '');
    await until(async () => (await cluster.post(pod, { dryRun: true })).ok);
  },
);

interface Event {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code: number };
}

interface Entry {
  readonly clientConfig: { readonly caBundle?: string };
}

type Configuration = typeof CONFIGURATION & { readonly webhooks: readonly Entry[] };

const hasBundle = ({ clientConfig }: Entry): boolean => clientConfig.caBundle !== undefined;

async function configuration(): Promise<Configuration> {
  return demand(await api.get(CONFIGURATION)) as Configuration;
}

function withoutBundle(found: Configuration): Configuration {
  const webhooks = found.webhooks.map((entry) => {
    const { caBundle: _, ...clientConfig } = entry.clientConfig;
    return { ...entry, clientConfig };
  });
  return { ...found, webhooks };
}

async function secret(): Promise<{ readonly data?: Readonly<Record<string, string>> }> {
  return demand(await api.get(SECRET)) as { readonly data?: Readonly<Record<string, string>> };
}

async function sign(where: string, fixture: string): Promise<void> {
  const { pod } = await cluster.store(buildFixture(fixture), where);
  await until(async () => (await cluster.post(pod, { dryRun: true })).ok);
}

/** What our account may do in these namespaces, beyond what all may. */
async function grantedTo(...namespaces: readonly string[]): Promise<readonly Permission[]> {
  const found = await Promise.all(
    namespaces.map(async (where) => {
      const all = await permissionsOf(api, NOBODY, where);
      return [...(await permissionsOf(api, OURS, where))].filter((one) => !all.has(one));
    }),
  );
  return [...new Set(found.flat())];
}

async function auditLog(): Promise<readonly string[]> {
  return (await readFile(apiserver.auditLog, 'utf8')).trim().split('\n');
}

/** What our account has asked for since a line of the log, with the names of objects. */
async function requests(since = 0) {
  const events = (await auditLog())
    .slice(since)
    .map((line) => JSON.parse(line) as Event)
    .filter(({ user }) => user.username === OURS);
  const permissionOf = ({ verb, objectRef }: Event): Permission => {
    const { apiGroup = '', resource = '', name = '' } = objectRef ?? {};
    return `${verb} ${spelled(apiGroup, resource, name)}`;
  };
  return {
    used: new Set(events.map(permissionOf)),
    refused: events.filter(({ responseStatus }) => responseStatus?.code === 403).map(permissionOf),
  };
}

/** A right to objects of any name is used by a request for one of them. */
function isUsed(permission: Permission, used: ReadonlySet<Permission>): boolean {
  if (used.has(permission)) return true;
  const isOfAny = !permission.includes('/');
  return isOfAny && [...used].some((one) => one.startsWith(`${permission}/`));
}
