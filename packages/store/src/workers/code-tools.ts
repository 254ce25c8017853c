import type { CodeTool } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { announcedToolSchema } from './announce-build.ts';
import { isAlive } from './capability.ts';

/** Builds that are looked at, those of live workers and the newest first; a deploy makes one for each pool. */
const MOST_BUILDS = 200;
/** Versions of a tool that are shown. */
const MOST_VERSIONS = 20;

const versionSchema = z.object({
  pool: z.string(),
  version: z.string().nullable(),
  workers: z.int(),
  tool: announcedToolSchema,
});

const toolRow = z
  .object({ id: z.string(), createdAt: z.date(), versions: z.tuple([versionSchema], versionSchema) })
  .transform(({ id, createdAt, versions }): CodeTool => {
    const live = versions.filter(({ workers }) => workers > 0);
    const { hash: _hash, ...shown } = versions[0].tool;
    return {
      id,
      object: 'tool',
      type: 'code',
      ...shown,
      pools: [...new Set(live.map(({ pool }) => pool))].toSorted(),
      workers: live.reduce((sum, { workers }) => sum + workers, 0),
      versions: versions.slice(0, MOST_VERSIONS).map(({ pool, version, workers, tool: { hash } }) => ({
        pool,
        package_version: version,
        hash,
        workers,
      })),
      created_at: createdAt.toISOString(),
    };
  });

const BUILDS = `
WITH live AS MATERIALIZED (
  SELECT build, count(*)::int AS workers FROM workers WHERE ${isAlive('workers')} AND build IS NOT NULL GROUP BY build
), builds AS MATERIALIZED (
  SELECT worker_builds.*, coalesce(live.workers, 0) AS workers
  FROM worker_builds LEFT JOIN live ON live.build = worker_builds.id
  ORDER BY (live.workers IS NULL), created_at DESC, id LIMIT ${MOST_BUILDS}
), announced AS MATERIALIZED (
  SELECT tool ->> 'name' AS name, tool, pool, version, workers, created_at
  FROM builds CROSS JOIN jsonb_array_elements(tools) AS tool
)`;

const LIST = {
  name: 'list-code-tools',
  text: `${BUILDS}
SELECT code_tools.id, code_tools.created_at AS "createdAt",
  json_agg(json_build_object('pool', pool, 'version', version, 'workers', workers, 'tool', tool)
           ORDER BY (workers = 0), announced.created_at DESC) AS versions
FROM code_tools JOIN announced USING (name)
WHERE ($1::text IS NULL OR code_tools.id < $1) AND ($2::text IS NULL OR code_tools.id = $2)
GROUP BY code_tools.id, code_tools.created_at ORDER BY code_tools.id DESC LIMIT $3`,
  row: toolRow,
};

/** Tools that workers announced, newest name first, those after `cursor` (the id of the last one seen). */
export function listCodeTools(sql: Sql, page: { cursor: string | null; limit: number }): Promise<CodeTool[]> {
  return query(sql, LIST, [page.cursor, null, page.limit]);
}

/** Null where no worker announced a tool of this id. */
export async function readCodeTool(sql: Sql, id: string): Promise<CodeTool | null> {
  const [tool] = await query(sql, LIST, [null, id, 1]);
  return tool ?? null;
}

const KNOWN = {
  name: 'list-announced-names',
  text: `
SELECT pool, coalesce(array_agg(DISTINCT name ORDER BY name) FILTER (WHERE name IS NOT NULL), '{}') AS tools
FROM worker_builds LEFT JOIN LATERAL jsonb_to_recordset(tools) AS tool(name text) ON true
GROUP BY pool ORDER BY pool`,
  row: z.object({ pool: z.string(), tools: z.array(z.string()) }),
};

/** The names of the tools in code of each pool that a worker was in during the last month. */
export async function listAnnounced(sql: Sql): Promise<Map<string, Set<string>>> {
  const pools = await query(sql, KNOWN, []);
  return new Map(pools.map(({ pool, tools }) => [pool, new Set(tools)]));
}
