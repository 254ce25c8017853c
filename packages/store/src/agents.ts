import {
  agentConfigSchema,
  metadataSchema,
  type Agent,
  type AgentConfig,
  type Metadata,
} from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from './database.ts';
import { json, query, type Sql } from './sql.ts';

const agentRow = z
  .object({
    id: z.string(),
    name: z.string(),
    version: z.int(),
    metadata: metadataSchema,
    createdAt: z.date(),
    updatedAt: z.date(),
    config: agentConfigSchema,
  })
  .transform(asAgent);

function asAgent(row: {
  id: string;
  name: string;
  version: number;
  metadata: Metadata;
  createdAt: Date;
  updatedAt: Date;
  config: AgentConfig;
}): Agent {
  return {
    ...row.config,
    id: row.id,
    object: 'agent',
    name: row.name,
    version: row.version,
    metadata: row.metadata,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

const RETURNED = `
SELECT agent.id, agent.name, agent.version, agent.metadata, agent.created_at AS "createdAt",
  agent.updated_at AS "updatedAt", version.config
FROM agent CROSS JOIN version`;

const INSERT = {
  name: 'insert-agent',
  text: `
WITH agent AS (
  INSERT INTO agents (id, tenant_id, name, metadata) VALUES ($1, $2, $3, $4::jsonb) RETURNING *
), version AS (
  INSERT INTO agent_versions (agent_id, version, tenant_id, config)
  SELECT agent.id, agent.version, agent.tenant_id, $5::jsonb FROM agent RETURNING *
)${RETURNED}`,
  row: agentRow,
};

/** Stores an agent and its first version. */
export async function insertAgent(
  sql: Sql,
  agent: { id: string; tenantId: string; name: string; metadata: Metadata; config: AgentConfig },
): Promise<Agent> {
  const values = [agent.id, agent.tenantId, agent.name, json(agent.metadata), json(agent.config)];
  const [inserted] = await query(sql, INSERT, values);
  if (inserted === undefined) throw new Error('An insert returned no row.');
  return inserted;
}

const ADD_VERSION = {
  name: 'add-agent-version',
  text: `
WITH agent AS (
  UPDATE agents SET version = version + 1, updated_at = now(), name = coalesce($3, name),
    metadata = coalesce($4::jsonb, metadata)
  WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL RETURNING *
), version AS (
  INSERT INTO agent_versions (agent_id, version, tenant_id, config)
  SELECT agent.id, agent.version, agent.tenant_id, $5::jsonb FROM agent RETURNING *
)${RETURNED}`,
  row: agentRow,
};

/** Stores a new version. Null for an agent that is not there; name and metadata stay where null is given. */
export async function addAgentVersion(
  sql: Sql,
  agent: {
    id: string;
    tenantId: string;
    name: string | null;
    metadata: Metadata | null;
    config: AgentConfig;
  },
): Promise<Agent | null> {
  const metadata = agent.metadata === null ? null : json(agent.metadata);
  const [added] = await query(sql, ADD_VERSION, [
    agent.id,
    agent.tenantId,
    agent.name,
    metadata,
    json(agent.config),
  ]);
  return added ?? null;
}

const DELETE = {
  name: 'delete-agent',
  text: `UPDATE agents SET deleted_at = now() WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Takes no more turns; those that were accepted run on. False where there is no such agent. */
export async function deleteAgent(sql: Sql, tenantId: string, agentId: string): Promise<boolean> {
  const deleted = await query(sql, DELETE, [agentId, tenantId]);
  return deleted.length > 0;
}

const withNewestVersion = { versions: { orderBy: { version: 'desc' }, take: 1 } } as const;

/** Null for an agent that is not there, was deleted, or is another tenant's. */
export async function readAgent(
  database: Database,
  tenantId: string,
  agentId: string,
): Promise<Agent | null> {
  const row = await database.prisma.agent.findFirst({
    where: { id: agentId, tenantId, deletedAt: null },
    include: withNewestVersion,
  });
  return row === null ? null : agentRow.parse({ ...row, config: row.versions[0]?.config });
}

/** A tenant's agents, newest first, those after `cursor` (the id of the last one seen). */
export async function listAgents(
  database: Database,
  tenantId: string,
  page: { cursor: string | null; limit: number },
): Promise<Agent[]> {
  const rows = await database.prisma.agent.findMany({
    where: { tenantId, deletedAt: null, ...(page.cursor === null ? {} : { id: { lt: page.cursor } }) },
    include: withNewestVersion,
    orderBy: { id: 'desc' },
    take: page.limit,
  });
  return rows.map((row) => agentRow.parse({ ...row, config: row.versions[0]?.config }));
}
