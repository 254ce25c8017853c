/** One master key for all programs of the tests: it protects nothing. */
export const TEST_MASTER_KEYS = `test:${Buffer.alloc(32, 'turnpike test key').toString('base64')}`;
