import {
  mcpChangeSchema,
  mcpServerConfigSchema,
  type McpServer,
  type McpServerConfig,
} from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { selectList } from '../database/select-list.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { rowsThatAgentsName } from '../agents/named-rows.ts';

const storedServerSchema = z.object({
  id: z.string(),
  name: z.string(),
  config: mcpServerConfigSchema,
  toolsHash: z.string().nullable(),
  toolsListedAt: z.date().nullable(),
  lastChange: mcpChangeSchema.nullable(),
  refusedTools: z.array(z.string()),
  createdAt: z.date(),
  updatedAt: z.date(),
});

const COLUMNS = selectList(storedServerSchema, 'mcp_servers');

const serverRow = storedServerSchema.transform((row): McpServer => ({
  ...row.config,
  id: row.id,
  object: 'mcp_server',
  name: row.name,
  tools_hash: row.toolsHash,
  tools_listed_at: row.toolsListedAt?.toISOString() ?? null,
  last_change: row.lastChange,
  refused_tools: row.refusedTools,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
}));

const INSERT = {
  name: 'insert-mcp-server',
  text: `
INSERT INTO mcp_servers (id, tenant_id, name, config) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT (tenant_id, name) DO NOTHING RETURNING ${COLUMNS}`,
  row: serverRow,
};

/** Stores a server. Null if the tenant has one of this name. */
export async function insertMcpServer(
  sql: Sql,
  server: { id: string; tenantId: string; name: string; config: McpServerConfig },
): Promise<McpServer | null> {
  const values = [server.id, server.tenantId, server.name, json(server.config)];
  const [inserted] = await query(sql, INSERT, values);
  return inserted ?? null;
}

/* The next turn asks for the list again: it may be another server by now. What was accepted stays accepted. */
const UPDATE = {
  name: 'update-mcp-server',
  text: `
UPDATE mcp_servers SET config = $3::jsonb, updated_at = now(), tools_listed_at = NULL
WHERE id = $1 AND tenant_id = $2 RETURNING ${COLUMNS}`,
  row: serverRow,
};

/** Replaces a server's configuration. Turns use it from their next claim on. Null if there is no such server. */
export async function updateMcpServer(
  sql: Sql,
  server: { id: string; tenantId: string; config: McpServerConfig },
): Promise<McpServer | null> {
  const [updated] = await query(sql, UPDATE, [server.id, server.tenantId, json(server.config)]);
  return updated ?? null;
}

/** The servers that agents name. Turns that have the tools of one which was deleted get an error for each call. */
export const namedMcpServers = rowsThatAgentsName('mcp_servers', COLUMNS, serverRow);

/** Null if the server does not exist or belongs to another tenant. */
export async function readMcpServer(
  database: Database,
  tenantId: string,
  id: string,
): Promise<McpServer | null> {
  const row = await database.prisma.mcpServer.findFirst({ where: { id, tenantId } });
  return row === null ? null : serverRow.parse(row);
}

const FIND_NAMED = {
  name: 'find-mcp-servers-named',
  text: `SELECT ${COLUMNS} FROM mcp_servers WHERE tenant_id = $1 AND name = ANY ($2::text[])`,
  row: serverRow,
};

/** Those of the tenant's servers that have one of these names. */
export function findMcpServersNamed(
  sql: Sql,
  tenantId: string,
  names: readonly string[],
): Promise<McpServer[]> {
  return query(sql, FIND_NAMED, [tenantId, names]);
}

/** A tenant's servers, newest first, those after `cursor` (the id of the last one seen). */
export async function listMcpServers(
  database: Database,
  tenantId: string,
  page: { cursor: string | null; limit: number },
): Promise<McpServer[]> {
  const rows = await database.prisma.mcpServer.findMany({
    where: { tenantId, ...(page.cursor === null ? {} : { id: { lt: page.cursor } }) },
    orderBy: { id: 'desc' },
    take: page.limit,
  });
  return rows.map((row) => serverRow.parse(row));
}

const ACCEPT = {
  name: 'accept-mcp-tools',
  text: `
UPDATE mcp_servers SET refused_tools = '[]', accepted = (
  SELECT jsonb_object_agg(tool.value ->> 'name', tool.value ->> 'hash')
  FROM mcp_tool_lists AS list, jsonb_array_elements(list.tools) AS tool(value)
  WHERE list.tenant_id = $2 AND list.hash = $3)
WHERE id = $1 AND tenant_id = $2 AND tools_hash = $3 RETURNING ${COLUMNS}`,
  row: serverRow,
};

/** Accepts the tools of the list with this hash. Null if the server's list is another by now. */
export async function acceptMcpTools(
  sql: Sql,
  { tenantId, id, hash }: { tenantId: string; id: string; hash: string },
): Promise<McpServer | null> {
  const [accepted] = await query(sql, ACCEPT, [id, tenantId, hash]);
  return accepted ?? null;
}
