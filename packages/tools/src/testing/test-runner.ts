import { RetryableError } from '@turnpike/contract';
import { createEgress } from '@turnpike/egress';
import { Secret, silentLogger } from '@turnpike/telemetry';
import { createToolRunner, type ToolRunner, type ToolRunnerSettings } from '../create-tool-runner.ts';
import type { McpListStore, MemoryStore } from '@turnpike/contract';
import type { ToolSecrets } from '../ports.ts';
import { InputSchemas } from '../schema/input-schemas.ts';
import { guardWithSlots } from './test-guard.ts';

/** The key that every tool's calls are signed with here. */
export const SIGNING_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Secrets of this tenant, and one signing secret for all. */
export function secretsOf(values: Record<string, string> = {}): ToolSecrets {
  return {
    read: (_tenantId, name) => {
      const value = values[name];
      return Promise.resolve(value === undefined ? null : new Secret(value));
    },
    open: () => Promise.resolve(new Secret(SIGNING_SECRET)),
  };
}

const noMemory: MemoryStore = {
  read: () => Promise.reject(new RetryableError('store_unavailable', 'There is no memory in this test.')),
  once: () => Promise.reject(new RetryableError('store_unavailable', 'There is no memory in this test.')),
};

const noLists: McpListStore = {
  readServers: () => Promise.resolve([]),
  readList: () => Promise.resolve(null),
  storeList: () => Promise.resolve({ change: null, refused: [] }),
  keepList: (_turn, _server, list) => Promise.resolve(list),
  expireList: () => Promise.resolve(),
};

/** Shared by all tests: its threads take some time to start. */
const schemas = new InputSchemas((error) => {
  throw error;
});

/** A runner that reaches this machine; settings that are left out have plain defaults. */
export function testRunner(settings: Partial<ToolRunnerSettings> = {}): ToolRunner {
  return createToolRunner({
    builtins: [],
    findCode: () => null,
    egress: createEgress({ allow: ['127.0.0.1'] }),
    guard: guardWithSlots(1_000),
    secrets: secretsOf(),
    memory: noMemory,
    subAgents: { read: () => Promise.resolve(null) },
    logger: silentLogger,
    mcp: {
      fetch: () => Promise.reject(new TypeError('No MCP server is reached in this test.')),
      lists: noLists,
    },
    schemas,
    ...settings,
  });
}
