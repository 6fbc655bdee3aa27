/** What stands in deploy/, before any API server sees it. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  V1Deployment,
  V1NetworkPolicySpec,
  V1PodDisruptionBudget,
  V1Service,
} from '@kubernetes/client-node';
import { load } from 'js-yaml';
import t from 'tap';
import { environmentName } from '../../src/shared/flags.ts';
import { ENVIRONMENT_PREFIX } from '../../src/shared/names.ts';
import { parseSettings } from '../../src/webhook/settings/settings.ts';
import { WEBHOOK_FLAGS } from '../../src/webhook/settings/webhook-flags.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { needKubernetes } from '../bed/kubernetes-programs.ts';
import { kustomize } from '../bed/kubectl.ts';
import {
  COMPONENTS,
  customization,
  deployDirectory,
  deployedObjects,
  environmentOf,
  objectsOf,
  theOne,
  WAYS,
  webhookPod,
} from './manifests.ts';

needKubernetes(t);

/** The longest that a request may take to come in, in seconds. */
const LONGEST_REQUEST = 10;

for (const [way, components] of Object.entries(WAYS)) {
  t.test(`${way}, two renders are the same to the byte`, async (t) => {
    const directory = await customization(t.testdir(), components);
    t.equal(await kustomize(directory), await kustomize(directory));
  });

  t.test(`${way}, no certificate, key, Secret or caBundle is in it`, async (t) => {
    const text = await kustomize(await customization(t.testdir(), components));
    for (const object of objectsOf(text)) {
      const { kind, metadata } = object;
      t.not(kind, 'Secret', metadata.name);
      t.same(membersOf(object, 'caBundle'), [], `${kind} ${metadata.name}`);
    }
    // In PEM, and in base64 of PEM.
    t.notMatch(text, /-----BEGIN|LS0tLS1CRUdJTi/);
  });

  t.test(
    `${way}, the program understands what it is told, once the images have names`,
    async (t) => {
      const images = ['webhook', 'signer'].map((name) => ({
        name: `registry.invalid/kpack-notary/${name}`,
        newName: `registry.example.com/kpack-notary/${name}`,
      }));
      const directory = await customization(t.testdir(), components, { images });
      const objects = await deployedObjects(directory);
      const environment = environmentOf(objects);
      const { container, ports } = webhookPod(objects);
      t.equal(container.command, undefined, "the image's own");
      t.equal(container.args, undefined, 'variables alone, which a patch replaces by their names');
      const settings = parseSettings([], environment);
      t.equal(settings.ownNamespace, 'kpack-notary');
      t.same(
        ports.map(({ name, containerPort }) => [name, containerPort]),
        [
          ['https', settings.port],
          ['metrics', settings.metricsPort],
        ],
      );
    },
  );

  t.test(`${way}, every variable of ours is a flag, since no other is looked at`, async (t) => {
    const objects = await deployedObjects(await customization(t.testdir(), components));
    const known = Object.keys(WEBHOOK_FLAGS).map(environmentName);
    const ours = Object.keys(environmentOf(objects)).filter((name) =>
      name.startsWith(ENVIRONMENT_PREFIX),
    );
    t.ok(ours.length > 0);
    for (const name of ours) t.ok(known.includes(name), name);
  });
}

t.test('every component is part of a way', async (t) => {
  t.same(readdirSync(join(deployDirectory(), 'components')).sort(), COMPONENTS);
  t.same([...new Set(Object.values(WAYS).flat())].sort(), COMPONENTS);
});

t.test('the network policy is open to every address until it is patched', async (t) => {
  const directory = await customization(t.testdir(), ['network-policy']);
  const policy = theOne(await deployedObjects(directory), 'NetworkPolicy', 'kpack-notary-webhook');
  const from = ['0.0.0.0/0', '::/0'].map((cidr) => ({ ipBlock: { cidr } }));
  t.same((policy['spec'] as V1NetworkPolicySpec).ingress?.[0], {
    from,
    ports: [{ port: 'https' }],
  });
});

/** The patches that a section of docs/how-to/install.md adds to a kustomization. */
async function patchesOf(heading: string): Promise<object> {
  const page = await readFile(join(projectDirectory(), 'docs/how-to/install.md'), 'utf8');
  const section = page.split(/^##+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const [, text = ''] = /```yaml\n(patches:\n.+?)```/s.exec(section) ?? [];
  return load(text) as object;
}

t.test('the patch of docs/how-to/install.md lets API servers in, and nobody else', async (t) => {
  const patches = await patchesOf('Network policy');
  const patched = await customization(t.testdir(), ['network-policy'], patches);
  const policy = theOne(await deployedObjects(patched), 'NetworkPolicy', 'kpack-notary-webhook');
  const { ingress, egress, policyTypes } = policy['spec'] as V1NetworkPolicySpec;
  t.same(policyTypes, ['Ingress', 'Egress']);
  t.same(egress, [{ ports: [{ port: 443 }, { port: 6443 }] }]);
  t.same(ingress, [
    { from: [{ ipBlock: { cidr: '192.0.2.10/32' } }], ports: [{ port: 'https' }] },
    {
      from: [
        { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'prometheus' } } },
      ],
      ports: [{ port: 'metrics' }],
    },
  ]);
});

t.test('the patch of docs/how-to/install.md names the accounts of kpack', async (t) => {
  const directory = await customization(
    t.testdir(),
    [],
    await patchesOf('Another account of kpack'),
  );
  const { KPACK_NOTARY_KPACK_USER: users = '' } = environmentOf(await deployedObjects(directory));
  t.same(users.split('\n'), [
    'system:serviceaccount:kpack:controller',
    'system:serviceaccount:team-kpack:controller',
  ]);
});

t.test('the patch of docs/how-to/install.md leads alerts to a copy of the runbook', async (t) => {
  const directory = await customization(t.testdir(), ['alerts'], await patchesOf('Alerts'));
  const text = await kustomize(directory);
  t.match(
    text,
    'runbook_url: https://git.example.com/kpack-notary/blob/v0.1.0/docs/runbook/KpackNotaryDown.md',
  );
  t.notMatch(text, 'kpack-notary.invalid');
});

t.test('one images section replaces the image of the webhook and that of the signer', async (t) => {
  const digest = (of: string) => `sha256:${of.repeat(32)}`;
  const images = [
    {
      name: 'registry.invalid/kpack-notary/webhook',
      newName: 'mirror.example.com/webhook',
      digest: digest('0a'),
    },
    {
      name: 'registry.invalid/kpack-notary/signer',
      newName: 'mirror.example.com:5000/s',
      digest: digest('0b'),
    },
  ];
  const text = await kustomize(await customization(t.testdir(), [], { images }));
  const objects = objectsOf(text);
  const { container } = webhookPod(objects);
  t.equal(container.image, `mirror.example.com/webhook@${digest('0a')}`);
  t.equal(
    environmentOf(objects)['KPACK_NOTARY_SIGNER_IMAGE'],
    `mirror.example.com:5000/s@${digest('0b')}`,
  );
  t.notMatch(text, /kpack-notary\/(?:webhook|signer)/, 'neither is named elsewhere');
});

t.test('nothing but two images is named, and their names resolve nowhere', async (t) => {
  const objects = await deployedObjects(deployDirectory());
  const { spec, container } = webhookPod(objects);
  t.equal(spec.initContainers, undefined);
  // RFC 6761: no name under .invalid is ever anybody's.
  t.equal(container.image, 'registry.invalid/kpack-notary/webhook:0.1.0');
  t.equal(
    environmentOf(objects)['KPACK_NOTARY_SIGNER_IMAGE'],
    'registry.invalid/kpack-notary/signer:0.1.0',
  );
});

t.test('a replica may take as long to end as preStop, shutdown delay and requests', async (t) => {
  const objects = await deployedObjects(deployDirectory());
  const { spec, container } = webhookPod(objects);
  const preStop = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const quiet = Number(environmentOf(objects)['KPACK_NOTARY_SHUTDOWN_DELAY']);
  t.ok(preStop > 0, 'the other nodes have to hear of it first');
  t.ok((spec.terminationGracePeriodSeconds ?? 0) > preStop + quiet + LONGEST_REQUEST);
});

t.test('there is always a second replica: in rollouts, drains and zones', async (t) => {
  const objects = await deployedObjects(deployDirectory());
  const { spec } = theOne(objects, 'Deployment') as V1Deployment;
  t.match(spec, { replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
  const budget = theOne(objects, 'PodDisruptionBudget') as V1PodDisruptionBudget;
  t.match(budget.spec, { maxUnavailable: 1 });
  const pod = spec?.template.spec;
  t.match(pod?.topologySpreadConstraints, [{ topologyKey: 'topology.kubernetes.io/zone' }]);
  t.match(pod?.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution, [
    { podAffinityTerm: { topologyKey: 'kubernetes.io/hostname' } },
  ]);
});

t.test('what selects our pods selects them', async (t) => {
  const directory = await customization(t.testdir(), ['alerts', 'network-policy']);
  const objects = await deployedObjects(directory);
  const { template, ports } = webhookPod(objects);
  const service = theOne(objects, 'Service') as V1Service;
  const selectors = [
    service.spec?.selector,
    ...objects
      .filter(({ kind }) =>
        /^(Deployment|PodDisruptionBudget|NetworkPolicy|PodMonitor)$/.test(kind),
      )
      .flatMap((object) => [
        ...membersOf(object, 'matchLabels'),
        ...membersOf(object, 'podSelector').flatMap((value) => membersOf(value, 'matchLabels')),
      ])
      .filter((labels) => !Object.hasOwn(labels as object, 'kubernetes.io/metadata.name')),
  ];
  t.ok(selectors.length >= 7);
  for (const labels of selectors) t.match(template.metadata?.labels, labels);
  const named = ports.map(({ name }) => name);
  t.ok(named.includes(String(service.spec?.ports?.[0]?.targetPort)));
  const ofPolicy = membersOf(theOne(objects, 'NetworkPolicy'), 'port').filter(
    (port) => typeof port === 'string',
  );
  t.same(ofPolicy, named);
});

t.test('the API server is sent to the Service, and never for our own namespace', async (t) => {
  const objects = await deployedObjects(deployDirectory());
  const service = theOne(objects, 'Service') as V1Service;
  const { name, namespace } = theOne(objects, 'Service').metadata;
  for (const object of objects.filter(({ kind }) => kind.endsWith('WebhookConfiguration'))) {
    for (const entry of object['webhooks'] as readonly Entry[]) {
      const { path: _, ...where } = entry.clientConfig.service;
      t.same(where, { namespace, name, port: service.spec?.ports?.[0]?.port }, entry.name);
      const never = entry.namespaceSelector.matchExpressions.find(
        ({ key }) => key === 'kubernetes.io/metadata.name',
      );
      t.match(never, { operator: 'NotIn' });
      t.ok(never?.values?.includes(namespace ?? ''), entry.name);
    }
  }
});

t.test('the certificate of cert-manager is for the Service', async (t) => {
  const objects = await deployedObjects(await customization(t.testdir(), ['cert-manager']));
  const { name, namespace } = theOne(objects, 'Service').metadata;
  const host = `${name}.${namespace ?? ''}.svc`;
  const certificate = theOne(objects, 'Certificate', 'kpack-notary-webhook');
  const spec = certificate['spec'] as CertificateSpec;
  t.ok(spec.dnsNames.includes(host));
  const volume = webhookPod(objects).spec.volumes?.find(({ secret }) => secret !== undefined);
  t.equal(volume?.secret?.secretName, spec.secretName);
});

interface Entry {
  readonly name: string;
  readonly clientConfig: { readonly service: Readonly<Record<string, unknown>> };
  readonly namespaceSelector: {
    readonly matchExpressions: readonly {
      readonly key: string;
      readonly operator: string;
      readonly values?: readonly string[];
    }[];
  };
}

interface CertificateSpec {
  readonly dnsNames: readonly string[];
  readonly secretName: string;
}

/** The values of all members of that name, however deep. */
function membersOf(value: unknown, name: string): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    key === name ? [inner] : membersOf(inner, name),
  );
}
