import type { OutputValidator, ToolRunner } from '@turnpike/agent';
import { createCallGuard, createEgress, createGuardedFetch, type CallGuard } from '@turnpike/egress';
import type { Runtime } from '@turnpike/runtime';
import { createMcpListStore, createMemoryStore, createSubAgentStore } from '@turnpike/store';
import { createBuiltins, createToolRunner, InputSchemas } from '@turnpike/tools';
import { CodeTools } from '../code/code-tools.ts';
import type { McpServerDefinition } from '../define-mcp-server.ts';
import type { CodeTool } from '../define-tool.ts';
import { IsolatedTools } from '../isolate/isolated-tools.ts';
import type { Config } from './config.ts';
import { OwnMcpServers } from './own-mcp-servers.ts';
import { filesForOutputs } from './turn-files.ts';

/** `timeout_ms` of a tool is at most this. */
const LONGEST_CALL_MS = 600_000;

/** A tool that hangs may hold this share of the worker's concurrency, or this many slots where they are more. */
const SHARE_OF_ONE_TOOL = 0.5;
const LEAST_SLOTS = 16;
/** How long a call waits for a slot. */
const MAX_WAIT_MS = 1_000;

export interface Tools {
  runner: ToolRunner;
  outputs: OutputValidator;
  guard: CallGuard;
  /** Those of the worker's own code. */
  code: CodeTools;
  /** Those of the worker's own code. */
  mcpServers: OwnMcpServers;
  isolated: IsolatedTools;
  close(): Promise<void>;
}

/** Bytes of one response to a tool in code, or of one stream of an MCP server. */
const MOST_RESPONSE_BYTES = 16_777_216;

/** The tools that all turns of this worker call, behind one guard. */
export function openTools(
  { database, files, secretBox, logger, tracing, warn }: Runtime,
  config: Config,
  ownTools: readonly CodeTool[],
  ownServers: readonly McpServerDefinition[],
): Tools {
  // Each tool has its own deadline; the limit here is the longest that a tool may ask for.
  const egress = createEgress({
    allow: config.egressAllow,
    deadlineMs: LONGEST_CALL_MS,
    idleTimeoutMs: LONGEST_CALL_MS,
  });
  const slots = Math.max(LEAST_SLOTS, Math.floor(config.concurrency * SHARE_OF_ONE_TOOL));
  const guard = createCallGuard({ slots, maxWaiting: slots, maxWaitMs: MAX_WAIT_MS });
  const upstream = createGuardedFetch({
    allow: config.egressAllow,
    idleTimeoutMs: LONGEST_CALL_MS,
    maxResponseBytes: MOST_RESPONSE_BYTES,
  });
  const isolated = new IsolatedTools();
  const code = new CodeTools(ownTools, {
    guard,
    isolated,
    async readSecret(tenantId, name) {
      const secret = await secretBox.readForCode(tenantId, name);
      return secret === null ? null : { value: secret.value.reveal(), allowedHosts: secret.allowedHosts };
    },
    send: (url, init) => upstream.fetch(url, init),
    logger,
    tracing,
  });
  const schemas = new InputSchemas(warn('A tool input or an output could not be checked.'));
  const mcpServers = new OwnMcpServers(ownServers, { guard, schemas, logger });
  const runner = createToolRunner({
    builtins: createBuiltins({ egress }),
    findCode: code.find,
    egress,
    guard,
    secrets: secretBox,
    memory: createMemoryStore(database),
    subAgents: createSubAgentStore(database),
    files: filesForOutputs(database, files),
    mcp: { fetch: upstream.fetch, lists: createMcpListStore(database) },
    logger,
    schemas,
  });
  return {
    runner,
    outputs: { explain: (tenantId, schema, value) => schemas.explainOutput(tenantId, schema, value) },
    guard,
    code,
    mcpServers,
    isolated,
    async close() {
      await runner.close();
      await mcpServers.close();
      await schemas.close();
      await isolated.close();
      await upstream.close();
    },
  };
}
