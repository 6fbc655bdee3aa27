/**
 * The rooms of src/: what each may import beside itself and src/shared. Held by `npm run lint`, drawn by
 * `npm run graph`.
 *
 * Where a room names its edges, all its other files are pure: they do no I/O. ESLint keeps clock,
 * environment and timers out of them. A room that names none is all edge.
 */
export const ROOMS = {
  shared: { imports: [], edges: ['standard-output'] },
  'shared/kubernetes': { imports: [] },
  'sidecar/tuf': { imports: [], edges: [] },
  'sidecar/io': { imports: ['sidecar/tuf'] },
  'sidecar/http': {
    imports: ['sidecar/io'],
    edges: [
      'connection-limit',
      'http-client',
      'http-exchange',
      'proxy-tunnel',
      'retry',
      'retry-after',
      'server-trust',
      'tls-roots',
    ],
  },
  'sidecar/auth': {
    imports: ['sidecar/http', 'sidecar/io'],
    edges: ['credentials', 'registry-credentials'],
  },
  'sidecar/image': {
    imports: ['sidecar/auth', 'sidecar/http', 'sidecar/io', 'sidecar/tuf'],
    edges: [],
  },
  'sidecar/keys': {
    imports: ['sidecar/io', 'sidecar/tuf'],
    edges: ['jose-algorithms', 'jose-signature', 'key-signer', 'secret-directory'],
  },
  'sidecar/notation': {
    imports: ['sidecar/auth', 'sidecar/http', 'sidecar/image', 'sidecar/io', 'sidecar/keys'],
    edges: ['notation-secret', 'timestamp-client'],
  },
  'sidecar/notary': {
    imports: ['sidecar/auth', 'sidecar/http', 'sidecar/image', 'sidecar/io', 'sidecar/tuf'],
    edges: [],
  },
  sidecar: {
    imports: [
      'sidecar/auth',
      'sidecar/http',
      'sidecar/image',
      'sidecar/io',
      'sidecar/keys',
      'sidecar/notary',
      'sidecar/notation',
    ],
    edges: ['main', 'run'],
  },
  'webhook/config': { imports: ['shared/kubernetes'], edges: [] },
  'webhook/build-pod': { imports: ['shared/kubernetes'], edges: [] },
  'webhook/injection': {
    imports: ['shared/kubernetes', 'webhook/build-pod', 'webhook/config'],
    edges: [],
  },
  'webhook/policy': {
    imports: ['shared/kubernetes', 'webhook/build-pod', 'webhook/config', 'webhook/injection'],
    edges: [],
  },
  'webhook/admission': {
    imports: [
      'shared/kubernetes',
      'webhook/build-pod',
      'webhook/config',
      'webhook/injection',
      'webhook/policy',
    ],
    edges: ['config-facts'],
  },
  'webhook/settings': { imports: ['shared/kubernetes', 'webhook/injection'], edges: [] },
  'webhook/server': {
    imports: ['shared/kubernetes', 'webhook/admission', 'webhook/policy'],
    edges: [
      'api-access',
      'byte-budget',
      'client-certificate',
      'connection-bound',
      'handler',
      'metrics-server',
      'pace',
      'review-body',
      'review-deadline',
      'server',
      'shared-reads',
      'shutdown',
      'watched-cluster',
    ],
  },
  'webhook/certificates': {
    imports: ['shared/kubernetes', 'webhook/server', 'webhook/settings'],
    edges: [
      'certificate-check',
      'certificate-cluster',
      'client-ca',
      'serving-certificate',
      'tls-files',
      'trust-check',
    ],
  },
  'webhook/explain': {
    imports: [
      'shared/kubernetes',
      'webhook/admission',
      'webhook/build-pod',
      'webhook/config',
      'webhook/injection',
      'webhook/policy',
      'webhook/settings',
    ],
    edges: ['signer-image-check'],
  },
  webhook: {
    imports: [
      'shared/kubernetes',
      'webhook/certificates',
      'webhook/explain',
      'webhook/server',
      'webhook/settings',
    ],
  },
};

/** Modules of Node that compute; of `net`, ESLint says what may be imported. */
const COMPUTING = '^(crypto|net|path/posix|url|util)$';
/** Libraries of which a pure room uses types alone. */
const EDGE_LIBRARIES = '(^|/)node_modules/(fastify|@kubernetes|undici|pino|node-jose)/';

const filesOf = (room) => `^src/${room}/[^/]+$`;

/** Rooms with pure files, and the files that are not. */
const withPureFiles = Object.entries(ROOMS).filter(([, { edges }]) => edges);
export const PURE_ROOMS = withPureFiles.map(([room]) => `src/${room}`);
export const EDGES = withPureFiles.flatMap(([room, { edges }]) =>
  edges.map((name) => `src/${room}/${name}.ts`),
);
const pureFiles = {
  path: PURE_ROOMS.map((room) => `^${room}/[^/]+$`),
  pathNot: EDGES.map((file) => `^${file}$`),
};

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-circle-of-folders',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'every-file-has-a-room',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: Object.keys(ROOMS).map(filesOf) },
    },
    ...Object.entries(ROOMS).map(([room, { imports }]) => ({
      name: `imports-of-${room}`,
      severity: 'error',
      from: { path: filesOf(room) },
      to: { path: '^(src|test|bench|demo)/', pathNot: [room, 'shared', ...imports].map(filesOf) },
    })),
    {
      name: 'the-bed-imports-no-test',
      severity: 'error',
      from: { path: '^test/bed/' },
      to: { path: '^(test|bench|demo)/', pathNot: '^test/bed/' },
    },
    {
      name: 'a-pure-room-does-no-io',
      severity: 'error',
      from: pureFiles,
      to: { dependencyTypes: ['core'], dependencyTypesNot: ['type-only'], pathNot: COMPUTING },
    },
    {
      name: 'a-pure-room-takes-types-alone',
      severity: 'error',
      from: pureFiles,
      to: { path: EDGE_LIBRARIES, dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
};
