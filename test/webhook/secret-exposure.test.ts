import t from 'tap';
import { secret, type PodManifest } from '../build-fixture.ts';
import { inject, mutate, validate, verdictOf } from './asking.ts';
import { container } from './pod.ts';
import { annotate, changed, P, URL, world } from './world.ts';

type Volume = NonNullable<PodManifest['spec']['volumes']>[number];

/** Volumes whose driver reads a Secret by reference. */
const SECRET_REF = { secretRef: { name: 'notary-signing' } };
const VOLUMES_BY_REFERENCE: Record<string, Partial<Volume>> = {
  csi: { csi: { driver: 'd', nodePublishSecretRef: { name: 'notary-signing' } } },
  'csi, by attribute': { csi: { driver: 'd', volumeAttributes: { secretName: 'notary-signing' } } },
  flexVolume: { flexVolume: { driver: 'd', ...SECRET_REF } },
  azureFile: { azureFile: { secretName: 'notary-signing', shareName: 's' } },
  cephfs: { cephfs: { monitors: ['m'], ...SECRET_REF } },
  iscsi: { iscsi: { iqn: 'i', lun: 0, targetPortal: 'p', ...SECRET_REF } },
  rbd: { rbd: { image: 'i', monitors: ['m'], ...SECRET_REF } },
  scaleIO: { scaleIO: { gateway: 'g', system: 's', secretRef: { name: 'notary-signing' } } },
  storageos: { storageos: { volumeName: 'v', ...SECRET_REF } },
};

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
    ...Object.fromEntries(
      Object.entries(VOLUMES_BY_REFERENCE).map(([kind, source]) => [
        `a volume of kind ${kind}`,
        [
          from((pod) => pod.spec.volumes?.push({ name: 'x', ...source })),
          /volume x holds Secret notary-signing/,
        ] as const,
      ]),
    ),
    'a Secret to pull images with': [
      from((pod) => (pod.spec.imagePullSecrets = [{ name: 'other' }, { name }])),
      /imagePullSecrets has Secret notary-signing/,
    ],
    'processes that see one another': [
      from((pod) => (pod.spec.shareProcessNamespace = true)),
      /shareProcessNamespace lets other containers reach the files of notary-sign/,
    ],
    'processes of the node': [
      from((pod) => (pod.spec.hostPID = true)),
      /hostPID lets other containers reach the files of notary-sign/,
    ],
    ...Object.fromEntries(
      [
        '/',
        '/var',
        '/var/lib/kubelet/pods',
        '/var//lib/',
        '/mnt/kubelet',
        '/proc',
        '/var/run/containerd/containerd.sock',
        '/run/k3s',
        '/var/lib/k0s/',
        '/var/lib/rancher/k3s/agent',
        '/var/snap',
      ].map((path) => [
        `${path} of the node`,
        [
          from((pod) => pod.spec.volumes?.push({ name: 'node', hostPath: { path } })),
          /volume node is \S+ of the node, where all Secrets are/,
        ] as const,
      ]),
    ),
    'a native sidecar that mounts our volume': [
      from((pod) =>
        pod.spec.initContainers?.unshift({
          name: 'sidecar',
          image: 'x',
          restartPolicy: 'Always',
          volumeMounts: [{ name: 'notary-sign-key', mountPath: '/x', subPath: 'a.key' }],
        }),
      ),
      /container sidecar mounts volume notary-sign-key/,
    ],
    'a sidecar that takes our volume for a device': [
      from((pod) =>
        pod.spec.containers.push({
          name: 'sidecar',
          image: 'x',
          volumeDevices: [{ name: 'notary-sign-key', devicePath: '/dev/x' }],
        }),
      ),
      /container sidecar mounts volume notary-sign-key/,
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
      { name: 'z', configMap: { name } },
      { name: 'socket', hostPath: { path: '/var/run/agent' } },
      { name: 'c', csi: { driver: 'd', volumeAttributes: { share: name } } },
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
