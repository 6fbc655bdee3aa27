import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import t from 'tap';
import { projectDirectory } from '../../bed/project-directory.ts';

interface Entry {
  readonly name: string;
  readonly failurePolicy: string;
  readonly reinvocationPolicy?: string;
  readonly rules: readonly {
    readonly operations: readonly string[];
    readonly resources: readonly string[];
  }[];
  readonly clientConfig: {
    readonly caBundle?: string;
    readonly service: { readonly path: string };
  };
}

interface Configuration {
  readonly kind: string;
  readonly webhooks: readonly Entry[];
}

const text = readFileSync(join(projectDirectory(), 'deploy/webhooks.yaml'), 'utf8');
const configurations = loadAll(text) as Configuration[];

t.test(
  'all entries wait five seconds, match every version, and have no side effects',
  async (t) => {
    t.same(configurations.map(({ kind }) => kind).sort(), [
      'MutatingWebhookConfiguration',
      'ValidatingWebhookConfiguration',
    ]);
    for (const { kind, webhooks } of configurations) {
      for (const entry of webhooks) {
        const expected = {
          timeoutSeconds: 5,
          matchPolicy: 'Equivalent',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          ...(kind.startsWith('Mutating') && { reinvocationPolicy: 'IfNeeded' }),
        };
        t.match(entry, expected, `${kind}: ${entry.name}`);
        t.equal(entry.clientConfig.caBundle, undefined, 'certificates come at run time');
      }
    }
  },
);

t.test(
  'build pods alone are held up while the webhook is away, and not those of audit',
  async (t) => {
    const policies = configurations.flatMap(({ webhooks }) =>
      webhooks.map(({ name, failurePolicy }) => `${name.split('.')[0] ?? ''}: ${failurePolicy}`),
    );
    t.same([...new Set(policies)].sort(), [
      'kpack: Ignore',
      'namespaces: Ignore',
      'pods-audit: Ignore',
      'pods: Fail',
    ]);
  },
);

t.test('of audited namespaces it is asked where nothing is refused', async (t) => {
  for (const { kind, webhooks } of configurations) {
    const question = kind.startsWith('Mutating') ? '/mutate' : '/validate';
    for (const { name, clientConfig } of webhooks) {
      const path = name.startsWith('pods-audit.') ? `/audit${question}` : question;
      t.equal(clientConfig.service.path, path, name);
    }
  }
});

t.test(
  'mutate is asked about new pods alone, validate about every change of one, too',
  async (t) => {
    for (const { kind, webhooks } of configurations) {
      for (const { name, rules } of webhooks.filter(({ name }) => name.startsWith('pods'))) {
        const asked = rules.flatMap(({ operations, resources }) =>
          operations.flatMap((operation) =>
            resources.map((resource) => `${operation} ${resource}`),
          ),
        );
        const changes = ['pods', 'pods/ephemeralcontainers', 'pods/resize'];
        t.same(
          asked.sort(),
          kind.startsWith('Mutating')
            ? ['CREATE pods']
            : ['CREATE pods', ...changes.map((resource) => `UPDATE ${resource}`)],
          name,
        );
      }
    }
  },
);
