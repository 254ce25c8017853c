import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { transaction } from '../database/sql.ts';
import { listTenantTables, TENANTS } from './tenant-tables.ts';

/** Rows that are held at once: one may be as large as a request. */
const FETCHED = 10;

/** What is sealed, wrapped or hashed is worth nothing to whoever reads it, and is left out. */
const SEALED = ['envelope', 'signing_envelope', 'wrapped', 'hash', 'last_four'];

/** A row of a table, its columns by name. */
export interface ExportedRow {
  table: string;
  row: unknown;
}

const rowsSchema = z.array(z.object({ row: z.unknown() }));

/**
 * Hands over every row that a tenant owns, as all of them were at one moment, a few at a time. Of secrets and keys
 * only what they are called. Returns how many rows there were.
 */
export function exportTenant(
  database: Database,
  tenantId: string,
  write: (row: ExportedRow) => Promise<void>,
): Promise<number> {
  let written = 0;
  return transaction(database.pool, async (sql) => {
    await sql.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    // Whoever reads the export may be slow, and a table long.
    await sql.query('SET LOCAL statement_timeout = 0');
    await sql.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    const tables = await listTenantTables(sql);
    const all = [...tables.toReversed(), { name: TENANTS, from: `FROM ${TENANTS} WHERE ${TENANTS}.id = $1` }];
    for (const { name, from } of all) {
      const columns = `to_jsonb("${name}".*) - $2::text[] AS row`;
      await sql.query(`DECLARE exported NO SCROLL CURSOR FOR SELECT ${columns} ${from}`, [tenantId, SEALED]);
      for (let fetched = FETCHED; fetched === FETCHED;) {
        const { rows } = await sql.query(`FETCH ${FETCHED} FROM exported`);
        for (const { row } of rowsSchema.parse(rows)) await write({ table: name, row });
        fetched = rows.length;
        written += fetched;
      }
      await sql.query('CLOSE exported');
    }
    return written;
  });
}
