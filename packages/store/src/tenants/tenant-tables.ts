import pg from 'pg';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/**
 * A table with rows of tenants, read from the catalogue, so that a new table is included without a change
 * here.
 */
export interface TenantTable {
  name: string;
  /** The rows of the tenant $1: what follows SELECT or DELETE, with the table under its own name. */
  from: string;
  /**
   * True if a batch is found by an index and deleted by itself. Otherwise rows are deleted with those they
   * belong to.
   */
  isDeletedByItself: boolean;
  /** Rows of other tables are deleted with its rows. */
  hasDependents: boolean;
}

const TABLES = {
  name: 'list-tables',
  text: `
SELECT tables.relname AS name,
  EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = tables.oid AND attname = 'tenant_id' AND NOT attisdropped)
    AS "hasTenant",
  EXISTS (SELECT 1 FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
          WHERE indrelid = tables.oid AND indpred IS NULL AND attname = 'tenant_id') AS "hasIndex"
FROM pg_class AS tables
WHERE tables.relnamespace = current_schema()::regnamespace AND tables.relkind IN ('r', 'p') AND NOT tables.relispartition
ORDER BY 1`,
  row: z.object({ name: z.string(), hasTenant: z.boolean(), hasIndex: z.boolean() }),
};

const REFERENCES = {
  name: 'list-references',
  text: `
SELECT child.relname AS child, parent.relname AS parent,
  ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS key(number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place) AS "childColumns",
  ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS key(number, place)
        JOIN pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY place) AS "parentColumns"
FROM pg_constraint JOIN pg_class AS child ON child.oid = conrelid JOIN pg_class AS parent ON parent.oid = confrelid
WHERE contype = 'f' AND confdeltype = 'c' AND child.relnamespace = current_schema()::regnamespace
ORDER BY conname`,
  row: z.object({
    child: z.string(),
    parent: z.string(),
    childColumns: z.array(z.string()),
    parentColumns: z.array(z.string()),
  }),
};

type Table = z.infer<typeof TABLES.row>;
type Reference = z.infer<typeof REFERENCES.row>;

export const TENANTS = 'tenants';
const quoted = (name: string): string => pg.escapeIdentifier(name);

/** All tables with rows of tenants, except `tenants` itself. A table comes before those that it refers to. */
export async function listTenantTables(sql: Sql): Promise<TenantTable[]> {
  const tables = await query(sql, TABLES, []);
  const references = (await query(sql, REFERENCES, [])).filter(
    ({ child, parent }) => parent !== TENANTS && parent !== child,
  );
  const found = tables.flatMap((table) => {
    const from = table.name === TENANTS ? null : rowsOf(table, tables, references);
    if (from === null) return [];
    const hasParent = references.some(({ child }) => child === table.name);
    return [
      {
        name: table.name,
        from,
        isDeletedByItself: table.hasTenant && (table.hasIndex || !hasParent),
        hasDependents: references.some(({ parent }) => parent === table.name),
      },
    ];
  });
  return dependentsFirst(found, references);
}

/**
 * Through the table's own index on the tenant, or else through the rows it belongs to; null for a table
 * without tenants.
 */
function rowsOf(table: Table, tables: readonly Table[], references: readonly Reference[]): string | null {
  const name = quoted(table.name);
  const direct = `FROM ${name} WHERE ${name}.tenant_id = $1`;
  if (table.hasTenant && table.hasIndex) return direct;
  for (const reference of references.filter(({ child }) => child === table.name)) {
    const parent = tables.find((each) => each.name === reference.parent);
    const through = parent === undefined ? null : rowsOf(parent, tables, references);
    if (through === null) continue;
    const on = reference.childColumns.map(
      (column, place) =>
        `${name}.${quoted(column)} = ${quoted(reference.parent)}.${quoted(reference.parentColumns[place] ?? '')}`,
    );
    return through
      .replace('FROM ', `FROM ${name} JOIN `)
      .replace(' WHERE ', ` ON ${on.join(' AND ')} WHERE `);
  }
  return table.hasTenant ? direct : null;
}

function dependentsFirst(tables: readonly TenantTable[], references: readonly Reference[]): TenantTable[] {
  const ordered: TenantTable[] = [];
  const place = (table: TenantTable): void => {
    if (ordered.includes(table)) return;
    for (const { child } of references.filter(({ parent }) => parent === table.name)) {
      const dependent = tables.find(({ name }) => name === child);
      if (dependent !== undefined) place(dependent);
    }
    ordered.push(table);
  };
  tables.forEach(place);
  return ordered;
}
