import type { McpListedTool } from '@turnpike/contract';
import type { Logger } from '@turnpike/telemetry';
import type { InputSchemas } from '../schema/input-schemas.ts';
import { ListPages } from './list-page.ts';
import type { McpConnection } from './mcp-connection.ts';
import { hashOfList, readTools, type LeftOutTool } from './read-tools.ts';

interface Asking {
  /** The server, in logs. */
  name: string;
  /** Whose time it is to check the schemas. */
  owner: string;
  signal: AbortSignal;
  timeoutMs: number;
}

/**
 * Asks a server for its tools. Those that no model can be given are left out and logged. Throws what the client throws.
 */
export async function listTools(
  { client, transport }: McpConnection,
  { name, owner, signal, timeoutMs }: Asking,
  { schemas, logger }: { schemas: InputSchemas; logger: Pick<Logger, 'warn'> },
): Promise<{ tools: McpListedTool[]; hash: string }> {
  const pages = new ListPages();
  transport.pages = pages;
  const { tools: listed } = await client
    .listTools(undefined, { signal, timeout: timeoutMs, cacheMode: 'bypass' })
    .finally(() => (transport.pages = null));
  const { tools: read, leftOut } = readTools(listed);
  const faults = await schemas.draftFaults(
    owner,
    read.map(({ input_schema: schema }) => schema),
  );
  // Most schemas are fine: a server is not without tools because a machine is busy.
  if (faults === null) logger.warn('The tools of an MCP server could not be checked.', { mcp_server: name });
  const tools: McpListedTool[] = [];
  for (const [place, tool] of read.entries()) {
    const fault = faults?.[place] ?? null;
    if (fault === null) tools.push(tool);
    else leftOut.push({ name: tool.name, reason: `its input schema is not usable: ${fault}`.slice(0, 300) });
  }
  const refused = pages.refused.map((tool): LeftOutTool => ({
    name: tool.slice(0, 128),
    reason: 'it is not a tool',
  }));
  if (leftOut.length + refused.length > 0) {
    const fields = { mcp_server: name, tools: [...leftOut, ...refused].slice(0, MOST_LOGGED) };
    logger.warn('Some tools of an MCP server cannot be given to a model.', fields);
  }
  return { tools, hash: hashOfList(tools) };
}

const MOST_LOGGED = 20;
