import { effectSchema, newId, onUnknownSchema } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';

/** A tool in code, as a worker announces it. */
export const announcedToolSchema = z.object({
  name: z.string(),
  description: z.string(),
  input_schema: z.looseObject({ type: z.literal('object') }),
  output_schema: z.record(z.string(), z.unknown()).nullable(),
  effect: effectSchema,
  on_unknown: onUnknownSchema,
  timeout_ms: z.int(),
  /** SHA-256 of its definition. */
  hash: z.string(),
});
export type AnnouncedTool = z.infer<typeof announcedToolSchema>;

/** What a worker runs: workers with the same have the same row. */
export interface WorkerBuild {
  /** The hash of the rest. */
  id: string;
  pool: string;
  /** Of the package that the tools are in; null where the worker does not know it. */
  version: string | null;
  tools: readonly AnnouncedTool[];
}

/* The id of a tool is made once for its name, so that lists of tools have one order whatever is deployed. */
const ANNOUNCE = {
  name: 'announce-build',
  text: `
WITH named AS (
  INSERT INTO code_tools (name, id) SELECT * FROM unnest($5::text[], $6::text[]) ON CONFLICT (name) DO NOTHING
)
INSERT INTO worker_builds (id, pool, version, tools) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT (id) DO UPDATE SET seen_at = now() RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Stores what a worker runs, before its heartbeats name it. */
export async function announceBuild(sql: Sql, { id, pool, version, tools }: WorkerBuild): Promise<void> {
  const names = tools.map(({ name }) => name).toSorted();
  const ids = names.map(() => newId('tool'));
  await query(sql, ANNOUNCE, [id, pool, version, json(tools), names, ids]);
}

/* A tool is known for as long as a build has it. */
const KEEP = {
  name: 'keep-builds',
  text: `
WITH live AS (
  UPDATE worker_builds SET seen_at = now()
  WHERE seen_at < now() - interval '1 hour' AND id IN (SELECT build FROM workers)
  RETURNING id
), old AS (
  SELECT id FROM worker_builds
  WHERE seen_at < now() - interval '30 days' AND id NOT IN (SELECT build FROM workers WHERE build IS NOT NULL)
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM worker_builds WHERE id IN (SELECT id FROM old) RETURNING id
), nameless AS (
  DELETE FROM code_tools WHERE (SELECT count(*) FROM old) > 0 AND NOT EXISTS (
    SELECT 1 FROM worker_builds
    WHERE worker_builds.tools @> jsonb_build_array(jsonb_build_object('name', code_tools.name))
      AND worker_builds.id NOT IN (SELECT id FROM old))
  RETURNING name
)
SELECT id FROM gone`,
  row: z.object({ id: z.string() }),
};

/** Marks builds of live workers as seen, and deletes up to `limit` that no worker had for a month. Returns how many. */
export async function keepBuilds(sql: Sql, limit: number): Promise<number> {
  const gone = await query(sql, KEEP, [limit]);
  return gone.length;
}
