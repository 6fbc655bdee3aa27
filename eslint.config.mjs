import tseslint from 'typescript-eslint';

// Modules that decide: no I/O, no clock, no environment. Everything else is an edge.
const pure = [
  'src/shared/**/*.ts',
  'src/webhook/{admission,authority,build-pod,build-steps,build-waiter,ca-certificate,certificate-chain,certificate-plan,config-source,config-warnings,coverage,docker-secrets,facts,hand-down,inject,limit-range,mount-path,plan,pod-draft,pod-gate,pod-review,pod-update-review,quantity,readiness,report-request,secret-exposure,signer-resources,signing-container,take-over}.ts',
  'src/sidecar/{authorization,challenge,connection-failure,docker-config,ed25519-key,foreign-file,key-block,key-encryption,manifest,no-proxy,proxy-settings,receipt,registry-failure,registry-host,registry-pattern,report,signing-key,signing-plan,termination-message,token-realm,token-scope}.ts',
];
const io = [
  'fs',
  'fs/promises',
  'http',
  'https',
  'net',
  'tls',
  'dns',
  'os',
  'process',
  'child_process',
  'timers',
  'timers/promises',
];
// What only computes.
const computes = { net: ['BlockList', 'isIP'] };
const pureImports = {
  paths: io.flatMap((name) =>
    [name, `node:${name}`].map((module) => ({
      name: module,
      message: 'a pure module does no I/O',
      ...(computes[name] && { allowImportNames: computes[name] }),
    })),
  ),
};
const libraries = ['fastify', '@kubernetes/client-node', 'undici', 'pino', 'node-jose'].map(
  (name) => ({
    name,
    allowTypeImports: true,
    message: 'a pure module uses the types of this library at most',
  }),
);
const noSidecar = { group: ['**/sidecar/**'], message: 'webhook never imports sidecar' };
const noWebhook = { group: ['**/webhook/**'], message: 'sidecar never imports webhook' };
const noPrograms = {
  group: ['**/sidecar/**', '**/webhook/**'],
  message: 'shared knows neither program',
};
const sharedOnly = (patterns, paths = []) => ({
  '@typescript-eslint/no-restricted-imports': ['error', { paths, patterns }],
});

export default tseslint.config(
  { ignores: ['dist', '.tap', 'node_modules', 'test/fixtures'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // The models of client-node are classes; what travels is plain JSON of their shape.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    files: ['src/shared/**/*.ts'],
    rules: sharedOnly([noPrograms], [...pureImports.paths, ...libraries]),
  },
  { files: ['src/webhook/**/*.ts'], rules: sharedOnly([noSidecar]) },
  { files: ['src/sidecar/**/*.ts'], rules: sharedOnly([noWebhook]) },
  {
    files: pure.filter((file) => file.startsWith('src/webhook')),
    rules: sharedOnly([noSidecar], [...pureImports.paths, ...libraries]),
  },
  {
    files: pure.filter((file) => file.startsWith('src/sidecar')),
    rules: sharedOnly([noWebhook], [...pureImports.paths, ...libraries]),
  },
  {
    files: pure,
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'a pure module reads no environment' },
        { name: 'fetch', message: 'a pure module does no I/O' },
        { name: 'setTimeout', message: 'a pure module does not wait' },
        { name: 'setInterval', message: 'a pure module does not wait' },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'a pure module is told the time' },
        { object: 'Math', property: 'random', message: 'a pure module is deterministic' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'a pure module is told the time',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', package: '@tapjs/test', name: ['test'] }] },
      ],
    },
  },
);
