import { poolNameSchema } from '@turnpike/contract';
import { scrub } from '@turnpike/telemetry';
import { checkTools } from './check-tools.ts';
import type { AgentDefinition } from './define-agent.ts';
import { isToolThread } from './isolate/is-tool-thread.ts';
import { checkMcpServers, type McpServerDefinition } from './define-mcp-server.ts';
import type { CodeTool } from './define-tool.ts';
import type { RunningWorker } from './running-worker.ts';

export interface WorkerSettings {
  tools?: readonly CodeTool[];
  /** Their tools in code are the worker's too. */
  agents?: readonly AgentDefinition[];
  /** Servers that the worker starts, and whose tools it has. */
  mcpServers?: readonly McpServerDefinition[];
  /** The pool of this worker. Default: `WORKER_POOL`, else `default`. */
  pool?: string;
  /** The version of the tools' package, shown with them. Default: that of the package of the program. */
  version?: string;
}

/**
 * Makes this process a worker, by the settings in its environment: it claims turns, runs their tools, and drains on
 * SIGTERM. Resolves when it is ready. A setting that prevents the start is written to standard error, and ends the
 * process with exit code 1. Throws a `TypeError` for two different tools or MCP servers of one name, and for a
 * pool of a wrong name.
 */
export async function startWorker({
  tools = [],
  agents = [],
  mcpServers = [],
  pool,
  version,
}: WorkerSettings = {}): Promise<RunningWorker> {
  // Imported for the isolated tools that the module exports.
  if (isToolThread()) return { replaceTools: () => undefined, retire: () => Promise.resolve() };
  const all = checkTools([...tools, ...agents.flatMap((agent) => agent.tools)]);
  const servers = checkMcpServers(mcpServers);
  const poolIssue = pool === undefined ? undefined : poolNameSchema.safeParse(pool).error?.issues[0];
  if (poolIssue !== undefined) throw new TypeError(`The pool ${poolIssue.message}.`);
  try {
    // Loaded here, so that the threads of isolated tools, which import this module, start quickly.
    const { runWorker } = await import('./program/run-worker.ts');
    return await runWorker(all, { pool, version, mcpServers: servers });
  } catch (error) {
    process.stderr.write(`${scrub(error instanceof Error ? error.message : String(error))}\n`);
    return process.exit(1);
  }
}
