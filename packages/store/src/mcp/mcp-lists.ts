import { compareLists, mcpListedToolSchema, mcpServerConfigSchema } from '@turnpike/contract';
import type { McpListedTool, McpListStore } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { json, query, transaction, type Sql } from '../database/sql.ts';

const READ_SERVERS = {
  name: 'read-mcp-servers-of-turn',
  text: `
SELECT server.id, server.name, server.config, server.tools_hash AS hash, server.refused_tools AS refused,
  (extract(epoch FROM now() - server.tools_listed_at) * 1000)::double precision AS "ageMs",
  kept.hash AS "keptHash", coalesce(kept.refused_tools, '[]') AS "keptRefused"
FROM mcp_servers AS server
LEFT JOIN turn_mcp_lists AS kept ON kept.turn_id = $3 AND kept.server = server.name
WHERE server.tenant_id = $1 AND server.name = ANY ($2::text[])`,
  row: z.object({
    id: z.string(),
    name: z.string(),
    config: mcpServerConfigSchema,
    hash: z.string().nullable(),
    refused: z.array(z.string()),
    ageMs: z.number().nullable(),
    keptHash: z.string().nullable(),
    keptRefused: z.array(z.string()),
  }),
};

const toolsRow = z.object({ tools: z.array(mcpListedToolSchema) });

const READ_LIST = {
  name: 'read-mcp-tool-list',
  text: `SELECT tools FROM mcp_tool_lists WHERE tenant_id = $1 AND hash = $2`,
  row: toolsRow,
};

const LOCK_SERVER = {
  name: 'lock-mcp-list',
  text: `
SELECT tools_hash AS hash, config, accepted,
  (SELECT list.tools FROM mcp_tool_lists AS list
   WHERE list.tenant_id = server.tenant_id AND list.hash = server.tools_hash) AS tools
FROM mcp_servers AS server WHERE id = $1 AND tenant_id = $2 FOR UPDATE`,
  row: z.object({
    hash: z.string().nullable(),
    config: mcpServerConfigSchema,
    accepted: z.record(z.string(), z.string()).nullable(),
    tools: z.array(mcpListedToolSchema).nullable(),
  }),
};

const INSERT_LIST = {
  name: 'insert-mcp-tool-list',
  text: `
INSERT INTO mcp_tool_lists (tenant_id, hash, tools) VALUES ($1, $2, $3::jsonb)
ON CONFLICT (tenant_id, hash) DO UPDATE SET used_at = now() RETURNING hash`,
  row: z.object({ hash: z.string() }),
};

const UPDATE_SERVER = {
  name: 'update-mcp-list',
  text: `
UPDATE mcp_servers SET tools_hash = $3, tools_listed_at = now(), accepted = $4::jsonb, refused_tools = $5::jsonb,
  last_change = CASE WHEN $6::jsonb IS NULL THEN last_change
                     ELSE $6::jsonb || jsonb_build_object('at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) END
WHERE id = $1 AND tenant_id = $2 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/*
 * Invariant: a list is deleted only if no server has it and no turn began with it. A list that was used in the last
 * hour stays: a turn may be about to keep it.
 */
const PURGE = {
  name: 'purge-mcp-tool-lists',
  text: `
DELETE FROM mcp_tool_lists AS list
WHERE list.tenant_id = $1 AND list.used_at < now() - interval '1 hour'
  AND NOT EXISTS (SELECT FROM mcp_servers WHERE mcp_servers.tenant_id = $1 AND mcp_servers.tools_hash = list.hash)
  AND NOT EXISTS (SELECT FROM turn_mcp_lists AS kept WHERE kept.tenant_id = $1 AND kept.hash = list.hash)
RETURNING list.hash`,
  row: z.object({ hash: z.string() }),
};

/* The first worker of the turn decides, whichever lease it holds: a list is the same for all that come after it. */
const KEEP = {
  name: 'keep-mcp-list',
  text: `
INSERT INTO turn_mcp_lists AS kept (turn_id, server, tenant_id, hash, refused_tools)
SELECT turns.id, $3, turns.tenant_id, $4, $5::jsonb FROM turns WHERE turns.id = $1 AND turns.tenant_id = $2
ON CONFLICT (turn_id, server) DO UPDATE SET hash = kept.hash
RETURNING hash, refused_tools AS refused`,
  row: z.object({ hash: z.string(), refused: z.array(z.string()) }),
};

const EXPIRE = {
  name: 'expire-mcp-list',
  text: `UPDATE mcp_servers SET tools_listed_at = NULL WHERE id = $1 AND tenant_id = $2 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** The lists of tools that MCP servers gave, and which of them a turn began with. */
export function createMcpListStore(database: Database): McpListStore {
  const { pool } = database;
  return {
    readServers: ({ tenantId, turnId }, names) => query(pool, READ_SERVERS, [tenantId, names, turnId]),
    async readList(tenantId, hash) {
      const [list] = await query(pool, READ_LIST, [tenantId, hash]);
      return list?.tools ?? null;
    },
    async storeList({ tenantId, serverId }, hash, tools) {
      const stored = await transaction(pool, (sql) => replaceList(sql, { tenantId, serverId, hash, tools }));
      if (stored.change !== null) await query(pool, PURGE, [tenantId]);
      return stored;
    },
    async keepList({ tenantId, turnId }, server, { hash, refused }) {
      const [kept] = await query(pool, KEEP, [turnId, tenantId, server, hash, json(refused)]);
      return kept ?? { hash, refused };
    },
    async expireList(tenantId, serverId) {
      await query(pool, EXPIRE, [serverId, tenantId]);
    },
  };
}

async function replaceList(
  sql: Sql,
  {
    tenantId,
    serverId,
    hash,
    tools,
  }: { tenantId: string; serverId: string; hash: string; tools: readonly McpListedTool[] },
): ReturnType<McpListStore['storeList']> {
  const [server] = await query(sql, LOCK_SERVER, [serverId, tenantId]);
  if (server === undefined) return { change: null, refused: [] };
  await query(sql, INSERT_LIST, [tenantId, hash, json(tools)]);
  const hashes = Object.fromEntries(tools.map((tool) => [tool.name, tool.hash]));
  const accepts = server.config.on_change === 'accept' || server.accepted === null;
  const accepted = accepts ? hashes : (server.accepted ?? {});
  const refused = accepts
    ? []
    : tools.filter((tool) => accepted[tool.name] !== tool.hash).map(({ name }) => name);
  const change = server.tools === null || server.hash === hash ? null : compareLists(server.tools, tools);
  await query(sql, UPDATE_SERVER, [
    serverId,
    tenantId,
    hash,
    json(accepted),
    json(refused),
    change === null ? null : json(change),
  ]);
  return { change, refused };
}
