/** One master key for all programs of the tests: it protects nothing. */
export declare const TEST_MASTER_KEYS: string;
//# sourceMappingURL=master-keys.d.ts.map
