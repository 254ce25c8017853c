import type { Database } from '@turnpike/store';

/** Every column of every row of every table, as text: bytes in hexadecimal. `without`: tables that are not read. */
export async function readPostgres({ pool }: Database, without: readonly string[] = []): Promise<string> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const texts: string[] = [];
  for (const { name } of tables.filter((table) => !without.includes(table.name))) {
    const { rows } = await pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`);
    texts.push(...rows.map(({ row }) => row));
    // As a row is quoted, so is what has quotes; JSON tells of each column as it is.
    const { rows: plain } = await pool.query<{ value: string }>(
      `SELECT field.value FROM ${name} AS t, jsonb_each_text(to_jsonb(t)) AS field`,
    );
    texts.push(...plain.map(({ value }) => value));
  }
  return texts.join('\n');
}
