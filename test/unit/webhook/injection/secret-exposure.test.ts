import t from 'tap';
import { readNotarySection } from '../../../../src/webhook/config/notary-section.ts';
import {
  ADMIN,
  ADMIN_V2,
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  DEVELOPER,
  DEVELOPER_V2,
  P,
  type PodManifest,
  secret,
  section,
  setSection,
  unconfiguredBuild,
  URL,
} from '../../../support/build-fixture.ts';
import { inject, mutate, refusedBy, validate, verdictOf } from '../../../support/asking.ts';
import { container } from '../../../support/pod.ts';

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
        '/dev',
        '/dev/mem',
        '/dev/disk/by-id/x',
        '/dev/sda1',
        '/etc',
        '/etc/',
        '//etc',
        '/etc/kubernetes',
        '/etc/kubernetes/admin.conf',
        '/etc/rancher/k3s/k3s.yaml',
        '/etc/ssh/ssh_host_rsa_key',
        '/etc/ssl/private',
        '/etc/pki/tls/private',
        '/home/kubernetes',
        '/mnt',
        '/mnt/disk/kubelet/pods',
        '/opt',
        '/root',
        '/run',
        '/var/run',
        '/var/run/',
        '/var/lib',
        '/sys',
        '/sys/fs/cgroup',
        '/usr',
        '/var/lib/etcd',
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
      const given = buildFixture();
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
    const given = buildFixture();
    given.pod.spec.volumes?.push(
      { name: 'x', secret: { secretName: 'other' } },
      { name: 'y', projected: { sources: [{ secret: { name: 'other' } }] } },
      { name: 'z', configMap: { name } },
      { name: 'socket', hostPath: { path: '/var/run/agent' } },
      ...[
        '/dev/null',
        '/dev/urandom',
        '/etc/ca-certificates',
        '/etc/hosts',
        '/etc/localtime',
        '/etc/pki',
        '/etc/pki/tls/certs/',
        '/etc/resolv.conf',
        '/etc/ssl',
        '/etc/ssl/certs',
        '/etc/ssl/certs/ca-certificates.crt',
        '/mnt/ca',
        '/opt/agent',
        '/run/spire/sockets',
        '/usr/share/ca-certificates',
        '/usr/share/zoneinfo',
        '/var/log/agent',
      ].map((path, i) => ({ name: `node-${i}`, hostPath: { path } })),
      { name: 'c', csi: { driver: 'd', volumeAttributes: { share: name } } },
      // Whatever of a node its PersistentVolume may be.
      { name: 'claim', persistentVolumeClaim: { claimName: 'x' } },
    );
    container(given.pod, 'build').envFrom = [
      { secretRef: { name: 'other' } },
      { configMapRef: { name } },
    ];
    t.equal(verdictOf(await mutate(given)), 'patched');
  });
  await t.test('nor the credentials for the Notary server', async (t) => {
    const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
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

/** What others may do with a Secret of the namespace: as service bindings and variables have it. */
const WAYS: Record<string, (pod: PodManifest, name: string) => void> = {
  'a service binding': (pod, name) => {
    pod.spec.volumes?.push({ name: 'binding-x', secret: { secretName: name } });
    const mount = { name: 'binding-x', mountPath: '/platform/bindings/x', readOnly: true };
    for (const step of ['detect', 'build']) container(pod, step).volumeMounts?.push(mount);
  },
  'a variable of the build': (pod, name) =>
    (container(pod, 'prepare').env ??= []).push({
      name: 'PLATFORM_ENV_X',
      valueFrom: { secretKeyRef: { name, key: 'root.key' } },
    }),
  'a pull secret': (pod, name) => (pod.spec.imagePullSecrets = [{ name }]),
};

t.test(
  "the Namespace's signing Secrets are in reach of no build, whatever is planned",
  async (t) => {
    const CAS = {
      [`${P}v1.caSecretRef`]: 'admin-ca',
      [`${P}v2.registryCaSecretRef`]: 'admin-registry-ca',
    };
    const KEYED = { ...ADMIN, ...ADMIN_V2, ...CAS };
    const plans: Record<string, (given: BuildFixture) => void> = {
      'signed with it': () => undefined,
      'signed with a key of its own': (given) => annotate(given, DEVELOPER),
      'signed with a v2 key of its own': (given) => annotate(given, DEVELOPER_V2),
      'signed with its own keys alone': (given) =>
        annotate(given, { ...DEVELOPER, ...DEVELOPER_V2 }),
      'opted out': (given) => annotate(given, { [`${P}signing`]: 'disabled' }),
      'opted out, with a section': (given) => {
        setSection(given, section());
        annotate(given, { [`${P}signing`]: 'disabled' });
      },
    };
    for (const [plan, prepare] of Object.entries(plans)) {
      for (const [way, change] of Object.entries(WAYS)) {
        await t.test(`${plan}: ${way}`, async (t) => {
          const make = () => {
            const given = unconfiguredBuild(KEYED);
            prepare(given);
            return given;
          };
          for (const key of ['admin-key', 'admin-v2-key']) {
            const given = make();
            const injected = await inject(given);
            change(given.pod, key);
            const told = await mutate(given);
            t.equal(verdictOf(told), '422 SECRET_EXPOSED');
            t.ok(told.status?.message.includes(`Secret ${key}`));
            const later = changed(injected, (pod) => change(pod, key));
            t.equal(verdictOf(await validate(given, later)), '422 SECRET_EXPOSED', 'nor later on');
          }

          const publicNames = [
            'admin-ca',
            'admin-registry-ca',
            'admin-timestamp-ca',
            'developer-ca',
          ];
          for (const name of [...publicNames, 'other']) {
            const allowed = make();
            change(allowed.pod, name);
            t.equal(verdictOf(await mutate(allowed)), 'patched', `${name} is public, or another's`);
          }
        });
      }
    }
    await t.test('also where the Namespace says no more than its Secret', async (t) => {
      const given = unconfiguredBuild({ [`${P}v1.secretRef`]: 'admin-key' });
      const { signingSecrets } = readNotarySection('Namespace', given.namespace);
      t.same(signingSecrets, ['admin-key']);
      await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
    });
    await t.test('also where what it says of v2 is malformed', async (t) => {
      const given = unconfiguredBuild({ ...ADMIN_V2, [`${P}v2.expiry`]: 'never' });
      const { signingSecrets, v2 } = readNotarySection('Namespace', given.namespace);
      t.same(signingSecrets, ['admin-v2-key']);
      t.equal(v2, undefined);
      await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
    });
    await t.test('where it holds the CA as well, it is a key first of all', async (t) => {
      const given = unconfiguredBuild({ ...ADMIN, [`${P}v1.caSecretRef`]: 'admin-key' });
      t.equal(verdictOf(await mutate(given)), 'patched');
      WAYS['a service binding']?.(given.pod, 'admin-key');
      t.equal(verdictOf(await mutate(given)), '422 SECRET_EXPOSED');
    });
    await t.test('in audit it is told, and left as it is', async (t) => {
      const given = unconfiguredBuild(ADMIN, 'audit');
      annotate(given, { [`${P}signing`]: 'disabled' });
      WAYS['a service binding']?.(given.pod, 'admin-key');
      const response = await mutate(given);
      t.equal(verdictOf(response), 'allowed');
      t.match(response.warnings?.join(), /audit: would be refused: kpack-notary SECRET_EXPOSED/);
    });
  },
);

t.test("an Image's own v2 key is for the signing container alone", async (t) => {
  const steps: Record<string, (pod: PodManifest) => void> = {
    'a step that mounts our volume': (pod) =>
      container(pod, 'build').volumeMounts?.push({ name: 'notary-sign-v2-key', mountPath: '/x' }),
    'a sidecar that mounts our volume': (pod) =>
      pod.spec.containers.push({
        name: 'sidecar',
        image: 'x',
        volumeMounts: [{ name: 'notary-sign-v2-key', mountPath: '/x' }],
      }),
    'a projected volume': (pod) =>
      pod.spec.volumes?.push({
        name: 'x',
        projected: { sources: [{ secret: { name: 'developer-v2-key' } }] },
      }),
    ...Object.fromEntries(
      Object.entries(WAYS).map(([way, change]) => [
        way,
        (pod: PodManifest) => change(pod, 'developer-v2-key'),
      ]),
    ),
  };
  for (const [what, change] of Object.entries(steps)) {
    const given = unconfiguredBuild();
    annotate(given, DEVELOPER_V2);
    const injected = await inject(given);
    const before = await mutate(given, { pod: changed(given.pod, change) });
    t.equal(verdictOf(before), '422 SECRET_EXPOSED', `${what}, before`);
    const after = await validate(given, changed(injected, change));
    t.equal(verdictOf(after), '422 SECRET_EXPOSED', `${what}, after`);
  }
});

t.test('the credentials for the Notary server are for the signing container alone', async (t) => {
  for (const [way, change] of Object.entries(WAYS)) {
    const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
    const injected = await inject(given);
    const [name = ''] = (injected.spec.volumes ?? []).flatMap((each) =>
      each.name === 'notary-sign-credentials-0' ? (each.secret?.secretName ?? []) : [],
    );
    change(given.pod, name);
    const told = await mutate(given);
    t.equal(verdictOf(told), '422 SECRET_EXPOSED', way);
    t.match(told.status?.message, 'make a Secret of its own for the Notary server');
  }
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const both = given.secrets.find(({ metadata }) => metadata.name === 'registry-creds');
  Object.assign(both?.metadata.annotations ?? {}, { 'kpack.io/notary.v1': URL });
  const told = await mutate(given);
  t.equal(verdictOf(told), '422 SECRET_EXPOSED', 'one that kpack mounts for its registry is not');
  t.match(told.status?.message, /volume secret-volume-1 holds Secret registry-creds/);
});

t.test('one Secret may hold key, CA and credentials: our container alone reads it', async (t) => {
  const given = buildFixture();
  annotate(given, { [`${P}v1.caSecretRef`]: 'notary-signing' });
  t.equal(verdictOf(await mutate(given)), 'patched', 'CA');
  const all = buildFixture();
  all.serviceAccount.secrets = [{ name: 'notary-signing' }];
  all.secrets.splice(0, 1, secret('notary-signing', {}, { 'kpack.io/notary.v1': URL }));
  t.equal(verdictOf(await mutate(all)), 'patched', 'credentials');
});
