import { toolConfigSchema, type Tool, type ToolConfig } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { selectList } from '../database/select-list.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { rowsThatAgentsName } from './named-rows.ts';

const storedToolSchema = z.object({
  id: z.string(),
  name: z.string(),
  config: toolConfigSchema,
  createdAt: z.date(),
  updatedAt: z.date(),
});

const COLUMNS = selectList(storedToolSchema, 'tools');

const toolRow = storedToolSchema.transform((row): Tool => ({
  ...row.config,
  id: row.id,
  object: 'tool',
  type: 'http',
  name: row.name,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
}));

const INSERT = {
  name: 'insert-tool',
  text: `
INSERT INTO tools (id, tenant_id, name, config, signing_envelope, signing_version)
VALUES ($1, $2, $3, $4::jsonb, $5, $6)
ON CONFLICT (tenant_id, name) DO NOTHING RETURNING ${COLUMNS}`,
  row: toolRow,
};

/** Stores a tool with its sealed signing key. Null if the tenant has a tool of this name. */
export async function insertTool(
  sql: Sql,
  tool: {
    id: string;
    tenantId: string;
    name: string;
    config: ToolConfig;
    signingSecret: { envelope: string; version: number };
  },
): Promise<Tool | null> {
  const { envelope, version } = tool.signingSecret;
  const values = [tool.id, tool.tenantId, tool.name, json(tool.config), envelope, version];
  const [inserted] = await query(sql, INSERT, values);
  return inserted ?? null;
}

const UPDATE = {
  name: 'update-tool',
  text: `
UPDATE tools SET config = $3::jsonb, updated_at = now() WHERE id = $1 AND tenant_id = $2
RETURNING ${COLUMNS}`,
  row: toolRow,
};

/** Replaces a tool's configuration. Turns use it from their next claim on. Null if there is no such tool. */
export async function updateTool(
  sql: Sql,
  tool: { id: string; tenantId: string; config: ToolConfig },
): Promise<Tool | null> {
  const [updated] = await query(sql, UPDATE, [tool.id, tool.tenantId, json(tool.config)]);
  return updated ?? null;
}

/** The tools that agents name. Turns that name one which was deleted fail at their next claim. */
export const namedTools = rowsThatAgentsName('tools', COLUMNS, toolRow);

const FIND_SENDERS = {
  name: 'find-tools-that-send',
  text: `
SELECT DISTINCT name AS tool, reference.value ->> 'secret' AS secret
FROM (
  SELECT name, config FROM tools WHERE tenant_id = $1
  UNION ALL SELECT name, config FROM mcp_servers WHERE tenant_id = $1
) AS sender, LATERAL (
  SELECT value FROM jsonb_each(sender.config -> 'headers')
  UNION ALL SELECT value FROM jsonb_each(sender.config -> 'auth')
) AS reference
WHERE jsonb_typeof(reference.value) = 'object' AND reference.value ->> 'secret' = ANY ($2::text[])`,
  row: z.object({ tool: z.string(), secret: z.string() }),
};

/** Of these secrets, those that tools and MCP servers are sent, each with the name of one such tool or server. */
export async function findToolsThatSend(
  sql: Sql,
  tenantId: string,
  secrets: readonly string[],
): Promise<Map<string, string>> {
  const senders = await query(sql, FIND_SENDERS, [tenantId, secrets]);
  return new Map(senders.map(({ tool, secret }) => [secret, tool]));
}

/** Null if the tool does not exist or belongs to another tenant. */
export async function readTool(database: Database, tenantId: string, toolId: string): Promise<Tool | null> {
  const row = await database.prisma.tool.findFirst({ where: { id: toolId, tenantId } });
  return row === null ? null : toolRow.parse(row);
}

/** A tenant's tools, newest first, those after `cursor` (the id of the last one seen). */
export async function listTools(
  database: Database,
  tenantId: string,
  page: { cursor: string | null; limit: number },
): Promise<Tool[]> {
  const rows = await database.prisma.tool.findMany({
    where: { tenantId, ...(page.cursor === null ? {} : { id: { lt: page.cursor } }) },
    orderBy: { id: 'desc' },
    take: page.limit,
  });
  return rows.map((row) => toolRow.parse(row));
}
