import { availableParallelism } from 'node:os';
import { libraryPaths } from './tests/support/bundle-libraries.mjs';

/**
 * Packages resolve to their sources, so a unit test never runs stale output.
 * Process-level tests under `tests/` start the built programs in `apps/*\/dist`.
 */
/** @type {import("jest").Config} */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: {
    ...libraryPaths,
    '^@turnpike/(contract|telemetry|egress|secrets|store|backplane|turns|model|tools|webhooks|agent|client|files|runtime|worker)$':
      '<rootDir>/packages/$1/src/index.ts',
    '^@turnpike/dialect-(base|a2a|ai-sdk|claude-agents|openai)$':
      '<rootDir>/packages/dialects/$1/src/index.ts',
    '^@turnpike/worker/internal$': '<rootDir>/packages/worker/src/internal.ts',
    '^@turnpike/(model-sim|testing)$': '<rootDir>/apps/$1/src/index.ts',
  },
  // Packages that were packed, and the project that is made, have names of their own.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/apps/create-turnpike/template/'],
  testMatch: [
    '<rootDir>/packages/*/src/**/*.test.ts',
    '<rootDir>/packages/dialects/*/src/**/*.test.ts',
    '<rootDir>/apps/*/src/**/*.test.ts',
    '<rootDir>/tests/**/*.test.ts',
  ],
  globalSetup: '<rootDir>/tests/support/start-services.ts',
  globalTeardown: '<rootDir>/tests/support/stop-services.ts',
  reporters: ['default', '<rootDir>/tests/support/print-slowest.mjs'],
  testSequencer: '<rootDir>/tests/support/order-files.mjs',
  // Most tests wait for processes and leases, so more files than processors run at once. With five, tests that compare
  // times saw each other.
  maxWorkers: Math.max(4, availableParallelism()),
  // Only ends a test that would never end: on a machine that is busy, a start alone may take a minute.
  testTimeout: 300_000,
};
