import tseslint from 'typescript-eslint';
import { EDGES, PURE_ROOMS } from './.dependency-cruiser.mjs';

const KEY_DETAILS = {
  property: 'asymmetricKeyDetails',
  message: 'for some damaged keys it aborts the process: ask curveOf of src/shared/curve.ts',
};

// What pure files may import, .dependency-cruiser.mjs says; here is what else would be I/O.
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
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-properties': ['error', KEY_DETAILS],
    },
  },
  {
    files: PURE_ROOMS.map((room) => `${room}/*.ts`),
    ignores: EDGES,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          name: 'node:net',
          allowImportNames: ['BlockList', 'isIP'],
          message: 'a pure module does no I/O',
        },
      ],
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
        KEY_DETAILS,
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
      // A test ends where its function does: all of them are async.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', package: '@tapjs/test', name: ['test'] }] },
      ],
    },
  },
);
