/**
 * The rooms of src/: what each may import beside itself and src/shared. Held by `npm run lint`, drawn by
 * `npm run graph`.
 *
 * A pure room decides: its files do no I/O. ESLint keeps clock, environment and timers out of it.
 */
export const ROOMS = {
  shared: { imports: [], pure: true },
  'shared/kubernetes': { imports: [] },
  'sidecar/tuf': { imports: [], pure: true },
  'sidecar/io': { imports: ['sidecar/tuf'] },
  'sidecar/http': { imports: ['sidecar/io'] },
  'sidecar/auth': { imports: ['sidecar/http', 'sidecar/io'] },
  'sidecar/image': { imports: ['sidecar/auth', 'sidecar/http', 'sidecar/io', 'sidecar/tuf'] },
  'sidecar/keys': { imports: ['sidecar/io', 'sidecar/tuf'] },
  'sidecar/notary': {
    imports: ['sidecar/auth', 'sidecar/http', 'sidecar/image', 'sidecar/io', 'sidecar/tuf'],
  },
  sidecar: {
    imports: [
      'sidecar/auth',
      'sidecar/http',
      'sidecar/image',
      'sidecar/io',
      'sidecar/keys',
      'sidecar/notary',
    ],
  },
  'webhook/config': { imports: ['shared/kubernetes'], pure: true },
  'webhook/build-pod': { imports: ['shared/kubernetes'], pure: true },
  'webhook/injection': {
    imports: ['shared/kubernetes', 'webhook/build-pod', 'webhook/config'],
    pure: true,
  },
  'webhook/policy': {
    imports: ['shared/kubernetes', 'webhook/build-pod', 'webhook/config', 'webhook/injection'],
    pure: true,
  },
  'webhook/admission': {
    imports: [
      'shared/kubernetes',
      'webhook/build-pod',
      'webhook/config',
      'webhook/injection',
      'webhook/policy',
    ],
  },
  'webhook/settings': { imports: ['shared/kubernetes', 'webhook/injection'] },
  'webhook/server': { imports: ['shared/kubernetes', 'webhook/admission', 'webhook/policy'] },
  'webhook/certificates': {
    imports: ['shared/kubernetes', 'webhook/server', 'webhook/settings'],
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

/** Modules of Node that only compute. */
const COMPUTING = '^(crypto|path/posix|util)$';
/** Libraries of which a pure room uses types alone. */
const EDGE_LIBRARIES = '(^|/)node_modules/(fastify|@kubernetes|undici|pino|node-jose)/';

const filesOf = (room) => `^src/${room}/[^/]+$`;

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
      name: 'a-pure-room-does-no-io',
      severity: 'error',
      from: { path: pureFiles() },
      to: { dependencyTypes: ['core'], pathNot: COMPUTING },
    },
    {
      name: 'a-pure-room-takes-types-alone',
      severity: 'error',
      from: { path: pureFiles() },
      to: { path: EDGE_LIBRARIES, dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
};

/** The files of the pure rooms. */
export function pureFiles() {
  return Object.keys(ROOMS)
    .filter((room) => ROOMS[room].pure)
    .map(filesOf);
}
