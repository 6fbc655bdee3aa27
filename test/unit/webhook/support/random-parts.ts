/** Random parts of pods, as anybody may write them. None of them holds our key, or leads to it. */
import fc from 'fast-check';

/** Names that mean something to JavaScript, or to JSON pointers, alone. */
const ODD = ['__proto__', 'constructor', 'hasOwnProperty', 'toJSON', 'a/b~c', ''];
const text = fc.string({ maxLength: 8 });

/** An object with these members, its own whatever they are called. */
const objectOf = <Value>(key: fc.Arbitrary<string>, value: fc.Arbitrary<Value>) =>
  fc
    .array(fc.tuple(key, value), { maxLength: 3 })
    .map((members): Record<string, Value> => Object.fromEntries(members));

/** Labels and annotations. */
export const texts = objectOf(fc.oneof(fc.constantFrom(...ODD), text), text);

/** Fields of an API server that is newer than we are. */
export const futureFields = objectOf(
  fc.constantFrom('futureField', ...ODD),
  fc.jsonValue({ maxDepth: 1 }),
);

const VOLUME_SOURCES: readonly Record<string, object>[] = [
  { awsElasticBlockStore: { volumeID: 'x' } },
  { azureDisk: { diskName: 'x', diskURI: 'x' } },
  { azureFile: { secretName: 'other', shareName: 'x' } },
  { cephfs: { monitors: ['x'], secretRef: { name: 'other' } } },
  { cinder: { volumeID: 'x', secretRef: { name: 'other' } } },
  { configMap: { name: 'x', items: [{ key: 'a', path: 'b' }] } },
  { csi: { driver: 'x', nodePublishSecretRef: { name: 'other' }, volumeAttributes: { a: 'b' } } },
  { downwardAPI: { items: [{ path: 'x', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  { emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
  { ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } } },
  { fc: { targetWWNs: ['x'], lun: 0 } },
  { flexVolume: { driver: 'x', secretRef: { name: 'other' } } },
  { flocker: { datasetName: 'x' } },
  { gcePersistentDisk: { pdName: 'x' } },
  { gitRepo: { repository: 'x' } },
  { glusterfs: { endpoints: 'x', path: 'x' } },
  { hostPath: { path: '/etc/ssl', type: 'Directory' } },
  { image: { reference: 'x', pullPolicy: 'Always' } },
  { iscsi: { targetPortal: 'x', iqn: 'x', lun: 0 } },
  { nfs: { server: 'x', path: '/' } },
  { persistentVolumeClaim: { claimName: 'cache' } },
  { photonPersistentDisk: { pdID: 'x' } },
  { portworxVolume: { volumeID: 'x' } },
  {
    projected: { sources: [{ serviceAccountToken: { path: 'x' } }, { secret: { name: 'other' } }] },
  },
  { quobyte: { registry: 'x', volume: 'x' } },
  { rbd: { monitors: ['x'], image: 'x' } },
  { scaleIO: { gateway: 'x', system: 'x', secretRef: { name: 'other' } } },
  { secret: { secretName: 'other', defaultMode: 0o400 } },
  { storageos: { volumeName: 'x' } },
  { vsphereVolume: { volumePath: 'x' } },
  { futureVolume: { secret: 'other' } },
];
export const volumeSources = fc.constantFrom(...VOLUME_SOURCES);

/** Variables that steer no program of ours; what they are worth may be unknown. */
export const variables = fc
  .tuple(
    fc.constantFrom(
      ...['HTTPS_PROXY', 'no_proxy', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS'],
      ...['NODE_NAME', 'NODE_ENV', 'ZONE', ...ODD],
    ),
    fc.oneof(
      fc.constant({}),
      fc
        .oneof(
          text,
          fc.constantFrom(
            '/etc/ssl/certs/x',
            '/mnt:/etc/pki',
            '/usr/lib/ssl/x',
            '/app/x',
            '/',
            '$(HOME)/x',
          ),
        )
        .map((value) => ({ value })),
      fc
        .constantFrom(
          { fieldRef: { fieldPath: 'status.hostIP' } },
          { secretKeyRef: { name: 'other', key: 'x' } },
          { configMapKeyRef: { name: 'x', key: 'x' } },
        )
        .map((valueFrom) => ({ valueFrom })),
    ),
  )
  .map(([name, value]) => ({ name, ...value }));

const quantities = objectOf(
  fc.constantFrom('cpu', 'memory', 'ephemeral-storage', 'example.com/gpu', ...ODD),
  fc.constantFrom('1', '250m', '64Mi', '1.5', '2e3', '0'),
);
export const resources = fc.record(
  {
    requests: quantities,
    limits: quantities,
    claims: fc.constant<{ name: string }[]>([{ name: 'gpu' }]),
  },
  { requiredKeys: [] },
);

/** What confines a container further, or belongs to its node. */
export const confinements = fc.record(
  {
    runAsUser: fc.constantFrom(1, 1_000_650_000),
    runAsGroup: fc.constantFrom(0, 1000),
    seLinuxOptions: fc.constant({ level: 's0:c26,c5' }),
    appArmorProfile: fc.constant({ type: 'RuntimeDefault' }),
  },
  { requiredKeys: [] },
);

export const securityContexts = fc.record(
  {
    runAsUser: fc.constantFrom(0, 1000),
    runAsNonRoot: fc.boolean(),
    privileged: fc.boolean(),
    capabilities: fc.constantFrom<object[]>({}, { add: ['NET_ADMIN'] }, { drop: ['ALL'] }),
    readOnlyRootFilesystem: fc.boolean(),
  },
  { requiredKeys: [] },
);

export const podSecurityContexts = fc.record(
  {
    runAsUser: fc.constantFrom(0, 1000),
    runAsGroup: fc.constantFrom(0, 1000),
    runAsNonRoot: fc.boolean(),
    fsGroup: fc.constantFrom(0, 1337),
    supplementalGroups: fc.constant<number[]>([7]),
    sysctls: fc.constant<{ name: string; value: string }[]>([{ name: 'net.x', value: '1' }]),
  },
  { requiredKeys: [] },
);

export const pullPolicies = fc.constantFrom('Always', 'IfNotPresent', 'Never');

/** Containers that are no steps, without a name. */
export const containers = fc.record(
  {
    image: fc.oneof(text, fc.constantFrom('proxy:1', `mirror:5000/x@sha256:${'ab'.repeat(32)}`)),
    command: fc.array(text, { maxLength: 2 }),
    args: fc.array(fc.oneof(text, fc.constant('-report=/var/report/report.toml')), {
      maxLength: 2,
    }),
    env: fc.uniqueArray(variables, { maxLength: 2, selector: ({ name }) => name }),
    envFrom: fc.constant<object[]>([{ secretRef: { name: 'other' } }]),
    imagePullPolicy: pullPolicies,
    ports: fc.constant<{ containerPort: number }[]>([{ containerPort: 15020 }]),
    readinessProbe: fc.constant<object>({ exec: { command: ['true'] } }),
    resources,
    securityContext: securityContexts,
  },
  { requiredKeys: ['image'] },
);

/** Fields of a pod's spec that say nothing of its containers. */
export const specFields = fc.constantFrom<Record<string, unknown>[]>(
  { tolerations: [{ key: 'builds', operator: 'Exists' }] },
  { nodeSelector: { pool: 'builds', constructor: 'x' } },
  { hostAliases: [{ ip: '10.0.0.1', hostnames: ['notary.example.com'] }] },
  { imagePullSecrets: [{ name: 'other' }] },
  { dnsConfig: { options: [{ name: 'ndots', value: '1' }] } },
  { priorityClassName: 'builds', runtimeClassName: 'gvisor' },
  { activeDeadlineSeconds: 3600, automountServiceAccountToken: false },
  { resources: { requests: { cpu: '1' } } },
);
