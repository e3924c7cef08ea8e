import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['build', 'dist', 'bindgen'] },
  js.configs.recommended,
  {
    files: ['ts/**/*.ts', 'page/**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // A number in a text is what it looks like.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A switch over a union says which members it leaves out, or has a default.
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['*.js', '*.mjs', 'test/**/*.js', 'test/**/*.mjs'],
    languageOptions: {
      globals: {
        Buffer: 'readonly',
        console: 'readonly',
        process: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        URL: 'readonly',
      },
    },
  },
  {
    // Functions of a test run in the page as well, where there are these and what the harness puts there.
    files: ['test/**/*.test.mjs'],
    languageOptions: {
      globals: {
        AbortSignal: 'readonly',
        Response: 'readonly',
        WebSocket: 'readonly',
        crypto: 'readonly',
        node: 'readonly',
        overlay: 'readonly',
        performance: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
);
