import { DEFAULT_POOL, type AgentTool } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** Which turns a worker can run: those of its pool whose tools in code it has. */
export interface Capability {
  pool: string;
  /** The names of the tools that its code defines. */
  codeTools: readonly string[];
  /** The queue that it consumes. Workers of one pool with the same tools have the same queue, and no others. */
  queue: string;
}

/** Of a worker of the default pool without tools of its own, and of every worker older than pools. */
export const PLAIN: Capability = { pool: DEFAULT_POOL, codeTools: [], queue: 'turns' };

/** The array as Postgres writes it. Names of tools have no character that must be escaped. */
export const arrayLiteral = (names: readonly string[]): string =>
  `{${names.map((name) => `"${name}"`).join(',')}}`;

/** The names of the tools in code among these. */
export const codeToolsIn = (tools: readonly AgentTool[]): string[] =>
  tools.flatMap((tool) => (tool.type === 'code' ? [tool.name] : []));

/** A boolean SQL expression: a worker with these columns can run the turn. */
export const canRun = (turn: string, pool: string, codeTools: string): string =>
  `${turn}.pool = ${pool} AND ${turn}.code_tools <@ ${codeTools}`;

/** A row of `workers` that counts for dispatch. */
export const isAlive = (worker: string): string => `${worker}.seen_at > now() - interval '30 seconds'`;

/** For a FROM clause: `needs.pool` and `needs.code_tools` of a turn that has this version of its agent. */
export const needsOf = (agentId: string, version: string): string => `CROSS JOIN LATERAL (
    SELECT coalesce(max(pool), '${DEFAULT_POOL}') AS pool, coalesce(max(code_tools), '{}') AS code_tools
    FROM agent_versions WHERE agent_id = ${agentId} AND version = ${version}
  ) AS needs`;

/*
 * Invariant: the claim refuses a turn that its worker cannot run (claim-turn.ts). Here it is taken out of the queue, so
 * that the next dispatch puts it into one of workers that can. No attempt and no epoch is used up.
 */
const TAKE_BACK = {
  name: 'take-back-turn',
  text: `
UPDATE turns SET dispatched_at = NULL
WHERE id = $1 AND epoch = $2 AND status = 'queued' AND dispatched_at IS NOT NULL
  AND NOT (${canRun('turns', '$3', '$4::text[]')})
RETURNING tenant_id AS "tenantId"`,
  row: z.object({ tenantId: z.string() }),
};

/**
 * Takes a turn out of the queue that a worker received and cannot run. Returns its tenant, for the dispatch that must
 * follow; null where the turn can run there, or has moved on.
 */
export async function takeBackTurn(
  sql: Sql,
  job: { turnId: string; epoch: number },
  runs: Capability,
): Promise<string | null> {
  const [turn] = await query(sql, TAKE_BACK, [job.turnId, job.epoch, runs.pool, runs.codeTools]);
  return turn?.tenantId ?? null;
}
