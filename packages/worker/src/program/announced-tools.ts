import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DEFAULT_POOL } from '@turnpike/contract';
import type { AnnouncedTool, Capability, WorkerBuild } from '@turnpike/store';
import { z } from 'zod';
import type { StdioTool } from '@turnpike/tools';
import type { CodeTool } from '../define-tool.ts';
import { hashDefinition } from '../hash-definition.ts';

/** What a worker of this pool with these tools, and those of its MCP servers, can run, and all that it announces. */
export function describeWorker(
  pool: string,
  version: string | null,
  tools: readonly CodeTool[],
  mcpTools: readonly StdioTool[] = [],
): { runs: Capability; build: WorkerBuild } {
  const own = new Set(tools.map(({ name }) => name));
  const all = [
    ...tools,
    ...mcpTools.filter(({ name }) => !own.has(name)).map((tool) => ({ ...tool, outputSchema: null })),
  ];
  const codeTools = all.map(({ name }) => name).toSorted();
  const announced = all
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map((tool): AnnouncedTool => ({
      name: tool.name,
      description: tool.description,
      input_schema: tool.inputSchema,
      output_schema: tool.outputSchema,
      effect: tool.effect,
      on_unknown: tool.onUnknown,
      timeout_ms: tool.timeoutMs,
      hash: tool.hash,
    }));
  return {
    runs: { pool, codeTools, queue: queueOf(pool, codeTools) },
    build: { id: hashDefinition({ pool, version, announced }), pool, version, tools: announced },
  };
}

/**
 * Only the names count: which turns a worker can run does not depend on its schemas, so a deploy that changes nothing
 * else needs no queue of its own.
 */
function queueOf(pool: string, codeTools: readonly string[]): string {
  if (codeTools.length === 0) return pool === DEFAULT_POOL ? 'turns' : `turns.${pool}`;
  const names = createHash('sha256').update(codeTools.join('\n')).digest('hex').slice(0, 16);
  return `turns.${pool}.${names}`;
}

const packageSchema = z.object({ version: z.string().max(100) });

/** The version of the package that a file is in; null where there is none. */
export function findPackageVersion(file: string): string | null {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    try {
      return packageSchema.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).version;
    } catch {
      // No package here, or none with a version: the folder above may be one.
      if (folder === dirname(folder)) return null;
    }
  }
}
