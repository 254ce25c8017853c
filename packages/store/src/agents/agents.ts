import {
  agentConfigSchema,
  DEFAULT_POOL,
  metadataSchema,
  type Agent,
  type AgentConfig,
  type Metadata,
} from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { selectList } from '../database/select-list.ts';
import { inRange, rangeValues, type ListPage, type TimeRange } from '../database/list-range.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { codeToolsIn } from '../workers/capability.ts';

const storedAgentSchema = z.object({
  id: z.string(),
  name: z.string(),
  version: z.int(),
  metadata: metadataSchema,
  createdAt: z.date(),
  updatedAt: z.date(),
  config: agentConfigSchema,
});

const agentRow = storedAgentSchema.transform((row): Agent => ({
  ...row.config,
  id: row.id,
  object: 'agent',
  name: row.name,
  version: row.version,
  metadata: row.metadata,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
}));

const RETURNED = `
SELECT ${selectList(storedAgentSchema, 'agent', { config: 'version.config' })} FROM agent CROSS JOIN version`;

const INSERT_VERSION = `
  INSERT INTO agent_versions (agent_id, version, tenant_id, name, metadata, config, pool, code_tools)
  SELECT agent.id, agent.version, agent.tenant_id, agent.name, agent.metadata, $5::jsonb, $6, $7::text[]
  FROM agent RETURNING *`;

const INSERT = {
  name: 'insert-agent',
  text: `
WITH agent AS (
  INSERT INTO agents (id, tenant_id, name, metadata) VALUES ($1, $2, $3, $4::jsonb) RETURNING *
), version AS (${INSERT_VERSION}
)${RETURNED}`,
  row: agentRow,
};

/** The contents of a version, with the agent's id and tenant. */
export interface AgentContents {
  id: string;
  tenantId: string;
  name: string;
  metadata: Metadata;
  config: AgentConfig;
}

/** Stores an agent and its first version. */
export function insertAgent(sql: Sql, agent: AgentContents): Promise<Agent> {
  return write(sql, INSERT, agent);
}

/*
 * Invariant: a version is built on the one before it. Whoever adds a version locks the agent's row before
 * reading the newest version, so of two concurrent changes the second builds on the first.
 */
const LOCK = {
  name: 'lock-agent',
  text: `SELECT id FROM agents WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE`,
  row: z.object({ id: z.string() }),
};

/**
 * The agent at its newest version, locked until the transaction ends. Null for an agent that does not exist,
 * was deleted, or belongs to another tenant.
 */
export async function lockAgent(sql: Sql, tenantId: string, agentId: string): Promise<Agent | null> {
  const locked = await query(sql, LOCK, [agentId, tenantId]);
  // A separate statement, so it sees what was committed while this one waited for the lock.
  return locked.length === 0 ? null : readAgent(sql, tenantId, agentId);
}

const ADD_VERSION = {
  name: 'add-agent-version',
  text: `
WITH agent AS (
  UPDATE agents SET version = version + 1, updated_at = now(), name = $3, metadata = $4::jsonb
  WHERE id = $1 AND tenant_id = $2 RETURNING *
), version AS (${INSERT_VERSION}
)${RETURNED}`,
  row: agentRow,
};

/** Stores a new version of an agent that `lockAgent` locked. */
export function addAgentVersion(sql: Sql, agent: AgentContents): Promise<Agent> {
  return write(sql, ADD_VERSION, agent);
}

async function write(
  sql: Sql,
  statement: typeof INSERT,
  { id, tenantId, name, metadata, config }: AgentContents,
): Promise<Agent> {
  const { pool, ...rest } = config;
  // Programs older than pools read versions that name none.
  const stored = pool === DEFAULT_POOL ? rest : config;
  const values = [id, tenantId, name, json(metadata), json(stored), pool, codeToolsIn(config.tools)];
  const [written] = await query(sql, statement, values);
  if (written === undefined) throw new Error('A write returned no row.');
  return written;
}

const DELETE = {
  name: 'delete-agent',
  text: `UPDATE agents SET deleted_at = now() WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** The agent accepts no more turns; accepted ones continue. False if there is no such agent. */
export async function deleteAgent(sql: Sql, tenantId: string, agentId: string): Promise<boolean> {
  const deleted = await query(sql, DELETE, [agentId, tenantId]);
  return deleted.length > 0;
}

/** Versions that were stored before versions had names have the agent's own name and metadata. */
const VERSION_COLUMNS = selectList(storedAgentSchema, 'versions', {
  id: 'agents.id',
  name: 'coalesce(versions.name, agents.name)',
  metadata: 'coalesce(versions.metadata, agents.metadata)',
  createdAt: 'agents.created_at',
  updatedAt: 'versions.created_at',
});

const READ = {
  name: 'read-agent',
  text: `
SELECT ${VERSION_COLUMNS}
FROM agents JOIN agent_versions AS versions
  ON versions.agent_id = agents.id AND versions.version = coalesce($3::int, agents.version)
WHERE agents.id = $1 AND agents.tenant_id = $2 AND agents.deleted_at IS NULL`,
  row: agentRow,
};

/**
 * An agent at this version, by default the newest. Null for an agent or version that does not exist, a
 * deleted agent, and one of another tenant.
 */
export async function readAgent(
  sql: Sql,
  tenantId: string,
  agentId: string,
  version: number | null = null,
): Promise<Agent | null> {
  const [agent] = await query(sql, READ, [agentId, tenantId, version]);
  return agent ?? null;
}

const OF_SESSION = {
  name: 'agent-of-session',
  text: `
SELECT agent_id AS id FROM sessions
WHERE tenant_id = $1 AND id = coalesce($2, (SELECT session_id FROM turns WHERE id = $3 AND tenant_id = $1))`,
  row: z.object({ id: z.string() }),
};

/** The id of the agent of a session, or of a turn's session. Null if there is no such session. */
export async function agentOfSession(
  sql: Sql,
  tenantId: string,
  of: { sessionId: string } | { turnId: string },
): Promise<string | null> {
  const ids = 'sessionId' in of ? [of.sessionId, null] : [null, of.turnId];
  const [agent] = await query(sql, OF_SESSION, [tenantId, ...ids]);
  return agent?.id ?? null;
}

const FIND = {
  name: 'find-agents',
  text: `SELECT id FROM agents WHERE tenant_id = $1 AND id = ANY ($2) AND deleted_at IS NULL`,
  row: z.object({ id: z.string() }),
};

/** Those of these ids that are agents of the tenant and not deleted. */
export async function findAgents(
  sql: Sql,
  tenantId: string,
  agentIds: readonly string[],
): Promise<Set<string>> {
  const found = await query(sql, FIND, [tenantId, agentIds]);
  return new Set(found.map(({ id }) => id));
}

const FIND_NAMED = {
  name: 'find-agents-named',
  text: `SELECT id FROM agents WHERE tenant_id = $1 AND name = $2 AND deleted_at IS NULL ORDER BY id LIMIT 2`,
  row: z.object({ id: z.string() }),
};

/** The ids of the tenant's agents with this name: two at most, where several have it. */
export async function findAgentsNamed(sql: Sql, tenantId: string, name: string): Promise<string[]> {
  return (await query(sql, FIND_NAMED, [tenantId, name])).map(({ id }) => id);
}

const HAS_VERSION = {
  name: 'agent-has-version',
  text: `
SELECT EXISTS (SELECT 1 FROM agent_versions WHERE agent_id = agents.id AND version = $4) AS has
FROM agents
WHERE tenant_id = $1 AND id = coalesce($2, (SELECT agent_id FROM sessions WHERE id = $3 AND tenant_id = $1))`,
  row: z.object({ has: z.boolean() }),
};

/** Whether an agent, or the agent of a session, has this version. Null if there is no such agent. */
export async function agentHasVersion(
  sql: Sql,
  tenantId: string,
  of: { agentId: string } | { sessionId: string },
  version: number,
): Promise<boolean | null> {
  const ids = 'agentId' in of ? [of.agentId, null] : [null, of.sessionId];
  const [agent] = await query(sql, HAS_VERSION, [tenantId, ...ids, version]);
  return agent?.has ?? null;
}

export interface AgentFilter extends TimeRange {
  /** Must not have an entry with this key. */
  withoutLabel?: string | undefined;
}

const LIST = {
  name: 'list-agents',
  text: `
SELECT ${selectList(storedAgentSchema, 'agents', { config: 'versions.config' })}
FROM agents JOIN agent_versions AS versions
  ON versions.agent_id = agents.id AND versions.version = agents.version
WHERE agents.tenant_id = $1 AND agents.deleted_at IS NULL AND ${inRange('agents')}
  AND ($7::text IS NULL OR agents.metadata -> $7 IS NULL)
ORDER BY agents.id DESC LIMIT $6`,
  row: agentRow,
};

/** A tenant's agents at their newest versions, newest agent first, those after the cursor. */
export function listAgents(
  { pool }: Pick<Database, 'pool'>,
  tenantId: string,
  page: ListPage,
  filter: AgentFilter = {},
): Promise<Agent[]> {
  return query(pool, LIST, [tenantId, ...rangeValues('agent', page, filter), filter.withoutLabel ?? null]);
}

/** Versions of an agent, newest first, those before version `before`. */
export async function listAgentVersions(
  database: Database,
  tenantId: string,
  agentId: string,
  page: { before: number | null; limit: number },
): Promise<Agent[]> {
  const rows = await database.prisma.agentVersion.findMany({
    where: {
      agentId,
      tenantId,
      agent: { deletedAt: null },
      ...(page.before === null ? {} : { version: { lt: page.before } }),
    },
    include: { agent: true },
    orderBy: { version: 'desc' },
    take: page.limit,
  });
  return rows.map(({ agent, name, metadata, version, config, createdAt: updatedAt }) =>
    agentRow.parse({
      ...agent,
      version,
      name: name ?? agent.name,
      metadata: metadata ?? agent.metadata,
      config,
      updatedAt,
    }),
  );
}
