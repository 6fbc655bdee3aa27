import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseReview } from '../../../../src/webhook/admission/admission.ts';
import type { Cluster, ListedObject } from '../../../../src/shared/kubernetes/cluster.ts';
import { explain, type Explanation } from '../../../../src/webhook/explain/explain.ts';
import { routeReview } from '../../../../src/webhook/admission/router.ts';
import { admissionReview, KPACK_USER } from '../../../bed/webhook.ts';
import {
  ADMIN,
  ADMIN_V2,
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  type Manifest,
  manifestsOf,
  OTHER_PIN,
  P,
  PIN,
  section,
  setSection,
  signingNamespace,
  URL,
} from '../../../support/build-fixture.ts';
import { projectDirectory } from '../../../bed/project-directory.ts';
import { unreadable, memoryCluster, SETTINGS } from '../../../support/asking.ts';
import type { Verdict } from '../../../../src/webhook/policy/verdict.ts';

const DIRECTORY = join(projectDirectory(), 'test/fixtures/pods');
/** Versions of the group that is ours. */
const FIXTURES = ['v0.2.0', 'v0.5.4', 'v0.9.7', 'v0.17.2'].flatMap((version) =>
  readdirSync(join(DIRECTORY, version))
    .map((shape) => `${version}/${shape}`)
    // Of what a version refuses, there is no pod.
    .filter((fixture) => existsSync(join(DIRECTORY, fixture, 'pod.json'))),
);

/** What people may have written. */
const WAYS: Record<string, (given: BuildFixture) => void> = {
  'as it is': () => undefined,
  'a section': (given) => setSection(given, section()),
  'an empty section': (given) => setSection(given, {}),
  'a bad url': (given) => setSection(given, section('ftp://x')),
  'opted out': (given) => annotate(given, { [`${P}signing`]: 'disabled' }),
  'a mistyped annotation': (given) => annotate(given, { [`${P}v1.ulr`]: 'x' }),
  "the admin's default": ({ namespace }) =>
    Object.assign(namespace.metadata.annotations ?? {}, ADMIN),
  "the admin's v2": ({ namespace }) =>
    Object.assign(namespace.metadata.annotations ?? {}, ADMIN_V2),
  'v2 without the timestamp that the admin asks for': (given) => {
    Object.assign(given.namespace.metadata.annotations ?? {}, ADMIN_V2);
    annotate(given, { [`${P}v2.secretRef`]: 'developer-v2-key' });
  },
  'bound to the v2 key of the admin': (given) => {
    Object.assign(given.namespace.metadata.annotations ?? {}, ADMIN_V2);
    bind(given, 'admin-v2-key');
  },
  'a bad default': ({ namespace }) =>
    Object.assign(namespace.metadata.annotations ?? {}, { [`${P}v1.url`]: 'x' }),
  'opted out, and the key of the admin elsewhere': (given) => {
    Object.assign(given.namespace.metadata.annotations ?? {}, ADMIN);
    setSection(given, section(URL, { name: 'admin-key' }));
    annotate(given, { [`${P}signing`]: 'disabled' });
  },
  'bound to the key of the admin': (given) => {
    Object.assign(given.namespace.metadata.annotations ?? {}, ADMIN);
    bind(given, 'admin-key');
  },
  'opted out, and bound to the key of the admin': (given) => {
    Object.assign(given.namespace.metadata.annotations ?? {}, ADMIN);
    annotate(given, { [`${P}signing`]: 'disabled' });
    bind(given, 'admin-key');
  },
  'a pin that the admin does not allow': (given) => {
    setSection(given, section());
    annotate(given, { [`${P}v1.rootPin`]: PIN });
    Object.assign(given.namespace.metadata.annotations ?? {}, { [`${P}v1.rootPin`]: OTHER_PIN });
  },
};

/** A service binding, as Image and Build have it and as kpack makes it. */
function bind({ image, build, pod }: BuildFixture, name: string): void {
  const services = [{ kind: 'Secret', name }];
  build.spec['services'] = services;
  if (image) image.spec['build'] = { ...(image.spec['build'] as object | undefined), services };
  pod.spec.volumes?.push({ name: `binding-${name}`, secret: { secretName: name } });
}

type Outcome = Pick<Explanation, 'outcome' | 'code' | 'reason'>;

const settings = { signerImage: undefined, kpackUsers: [KPACK_USER], namespace: 'apps' } as const;

async function explainedOutcome(object: object, cluster: Cluster): Promise<Outcome> {
  const { outcome, code, reason } = await explain(object as ListedObject, cluster, settings);
  return { outcome, code, reason };
}

/** What the mutating webhook does with a pod, in the words of an explanation. */
async function mutateOutcome(pod: object, cluster: Cluster): Promise<Outcome> {
  const request = parseReview(admissionReview({ object: pod }));
  const answered = await routeReview('mutate', request, { ...SETTINGS, cluster });
  const verdict: Verdict = answered.kind === 'allow' ? (answered.audited ?? answered) : answered;
  const { code, reason } = verdict;
  if (verdict.kind === 'deny') return { outcome: 'refused', code, reason };
  return { outcome: code === 'INJECTED' ? 'signed' : 'unsigned', code, reason };
}

for (const fixture of FIXTURES) {
  t.test(`${fixture}: what is explained is what is done`, async (t) => {
    for (const label of ['enabled', 'audit', 'disabled', '', 'enable']) {
      for (const [way, write] of Object.entries(WAYS)) {
        const given = buildFixture(fixture, signingNamespace(label));
        write(given);
        const cluster = memoryCluster(manifestsOf(given));
        const truth = await mutateOutcome(given.pod, cluster);
        t.same(await explainedOutcome(given.pod, cluster), truth, `pod, ${label}, ${way}`);
        // Of a pod that is not there yet, the shape cannot be known.
        if (truth.code === 'POD_UNSUPPORTED') continue;
        const { reason, ...outcome } = truth;
        for (const object of [given.build, ...(given.image ? [given.image] : [])]) {
          const of = await explainedOutcome(object, cluster);
          t.match(of, outcome, `${object.kind}, ${label}, ${way}`);
          if (given.image) t.equal(of.reason, reason);
        }
      }
    }
  });
}

t.test('system namespaces are told to be left alone, as they are', async (t) => {
  const given = buildFixture();
  const namespace = changed(given.namespace, (copy) =>
    Object.assign(copy.metadata, { name: 'kube-system' }),
  );
  const cluster = memoryCluster([namespace]);
  const object = given.image as unknown as ListedObject;
  const explained = await explain(object, cluster, { ...settings, namespace: 'kube-system' });
  t.match(explained, { outcome: 'unsigned', code: 'NOT_OURS' });
});

t.test('where the label is off nothing else matters, not even what is forbidden', async (t) => {
  for (const kind of ['ServiceAccount', 'Build', 'Image', 'Secret']) {
    const given = buildFixture('v0.17.2/02b-notary-registry-secrets', signingNamespace(''));
    const cluster = unreadable(memoryCluster(manifestsOf(given)), kind);
    t.match(
      await explainedOutcome(given.pod, cluster),
      { outcome: 'unsigned', code: 'NAMESPACE_OFF' },
      kind,
    );
  }
});

t.test('a pod that was made without its signer is not said to be signed', async (t) => {
  const given = buildFixture();
  const stored = changed(given.pod, ({ metadata }) => (metadata.uid = 'a'));
  const cluster = memoryCluster(manifestsOf(given));
  const explained = await explain(stored as unknown as ListedObject, cluster, settings);
  t.match(explained, {
    outcome: 'unsigned',
    code: 'SIGNER_MISSING',
    reason: 'it was made without its container notary-sign',
    fix: /build again/,
  });
  const audit = memoryCluster(manifestsOf({ ...given, namespace: signingNamespace('audit') }));
  t.match(
    await explainedOutcome(stored, audit),
    { outcome: 'signed' },
    'in audit mode it is meant to',
  );
});

t.test("a stranger's pod is told to be left unsigned, as it is", async (t) => {
  const given = buildFixture();
  delete given.pod.metadata.ownerReferences;
  const explained = await explainedOutcome(given.pod, memoryCluster(manifestsOf(given)));
  t.match(explained, { outcome: 'unsigned', code: 'NO_BUILD', reason: /no kpack Build/ });
});

t.test('an Image that says little is explained all the same', async (t) => {
  const image = (spec: unknown) =>
    ({
      apiVersion: 'kpack.io/v1alpha2',
      kind: 'Image',
      metadata: { name: 'app', namespace: 'apps' },
      spec,
    }) as unknown as Manifest;
  const cluster = memoryCluster([signingNamespace('enabled', ADMIN)]);
  t.match(await explainedOutcome(image(null), cluster), { code: 'POD_UNSUPPORTED' });
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: 'apps' },
  };
  const both = memoryCluster([signingNamespace('enabled', ADMIN), account]);
  const object = image({ tag: 'registry.example.com/app', serviceAccountName: '' });
  const { missing } = await explain(object as unknown as ListedObject, both, settings);
  t.same(missing, ['Secret admin-key (the signing key)']);
});
