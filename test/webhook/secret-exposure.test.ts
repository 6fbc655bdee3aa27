import t from 'tap';
import { secret, type PodManifest } from '../build-fixture.ts';
import { inject, mutate, validate, verdictOf } from './asking.ts';
import { container } from './pod.ts';
import { annotate, changed, P, URL, world } from './world.ts';

t.test('nothing else in the pod may reach the signing Secret', async (t) => {
  const name = 'notary-signing';
  const from = (change: (pod: PodManifest) => void) => change;
  const cases: Record<string, readonly [(pod: PodManifest) => void, RegExp]> = {
    'a volume': [
      from((pod) => pod.spec.volumes?.push({ name: 'x', secret: { secretName: name } })),
      /volume x holds Secret notary-signing/,
    ],
    'a binding of kpack': [
      from((pod) => {
        pod.spec.volumes?.push({ name: 'service-binding-db', secret: { secretName: name } });
        container(pod, 'build').volumeMounts?.push({
          name: 'service-binding-db',
          mountPath: '/platform/bindings/db',
        });
      }),
      /volume service-binding-db holds/,
    ],
    'a projected volume': [
      from((pod) =>
        pod.spec.volumes?.push({
          name: 'x',
          projected: { sources: [{ configMap: { name: 'a' } }, { secret: { name } }] },
        }),
      ),
      /volume x holds Secret notary-signing/,
    ],
    'a variable of a step': [
      from((pod) =>
        container(pod, 'build').env?.push({
          name: 'X',
          valueFrom: { secretKeyRef: { name, key: 'password' } },
        }),
      ),
      /container build takes variables from Secret notary-signing/,
    ],
    'a variable of completion': [
      from((pod) =>
        container(pod, 'completion').env?.push({
          name: 'X',
          valueFrom: { secretKeyRef: { name, key: 'password' } },
        }),
      ),
      /container completion takes variables/,
    ],
    'all variables': [
      from((pod) => (container(pod, 'export').envFrom = [{ secretRef: { name } }])),
      /container export takes variables/,
    ],
    'a step that mounts our volume': [
      from((pod) =>
        container(pod, 'build').volumeMounts?.push({ name: 'notary-sign-key', mountPath: '/x' }),
      ),
      /container build mounts volume notary-sign-key/,
    ],
    'a sidecar that mounts our volume': [
      from((pod) =>
        pod.spec.containers.push({
          name: 'sidecar',
          image: 'x',
          volumeMounts: [{ name: 'notary-sign-key', mountPath: '/x' }],
        }),
      ),
      /container sidecar mounts volume notary-sign-key/,
    ],
  };
  for (const [what, [change, reason]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const given = world();
      const injected = await inject(given);
      const refused = await mutate(given, { pod: changed(given.pod, change) });
      t.equal(verdictOf(refused), '422 SECRET_EXPOSED', 'before');
      t.match(refused.status?.message, reason);
      const after = await validate(given, changed(injected, change));
      t.equal(verdictOf(after), '422 SECRET_EXPOSED', 'after');
      t.match(after.status?.message, reason);
    });
  }
  await t.test('other Secrets are no concern of ours', async (t) => {
    const given = world();
    given.pod.spec.volumes?.push(
      { name: 'x', secret: { secretName: 'other' } },
      { name: 'y', projected: { sources: [{ secret: { name: 'other' } }] } },
    );
    container(given.pod, 'build').envFrom = [
      { secretRef: { name: 'other' } },
      { configMapRef: { name } },
    ];
    t.equal(verdictOf(await mutate(given)), 'patched');
  });
  await t.test('nor the credentials for the Notary server', async (t) => {
    const given = world('v0.17.2/02b-notary-registry-secrets');
    const injected = await inject(given);
    const change = (pod: PodManifest) =>
      container(pod, 'build').volumeMounts?.push({
        name: 'notary-sign-credentials-0',
        mountPath: '/x',
      });
    t.equal(
      verdictOf(await mutate(given, { pod: changed(given.pod, change) })),
      '422 SECRET_EXPOSED',
    );
    t.equal(verdictOf(await validate(given, changed(injected, change))), '422 SECRET_EXPOSED');
  });
});

t.test('one Secret may hold key, CA and credentials: our container alone reads it', async (t) => {
  const given = world();
  annotate(given, { [`${P}v1.caSecretRef`]: 'notary-signing' });
  t.equal(verdictOf(await mutate(given)), 'patched', 'CA');
  const all = world();
  all.serviceAccount.secrets = [{ name: 'notary-signing' }];
  all.secrets.splice(0, 1, secret('notary-signing', {}, { 'kpack.io/notary.v1': URL }));
  t.equal(verdictOf(await mutate(all)), 'patched', 'credentials');
});
