import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { transaction } from '../database/sql.ts';
import { listTenantTables, TENANTS } from './tenant-tables.ts';

/** Rows in memory at once: one may be as large as a request. */
const FETCHED = 10;

/** Sealed, wrapped and hashed values are useless to a reader, and are left out. */
const SEALED = ['envelope', 'signing_envelope', 'wrapped', 'hash', 'last_four', 'upload_token'];

/** A row of a table, by column names. */
export interface ExportedRow {
  table: string;
  row: unknown;
}

const rowsSchema = z.array(z.object({ row: z.unknown() }));

/**
 * Passes every row of a tenant to the caller, a few at a time, from one snapshot. Of secrets and keys only
 * the descriptions. Returns the number of rows.
 */
export function exportTenant(
  database: Database,
  tenantId: string,
  write: (row: ExportedRow) => Promise<void>,
): Promise<number> {
  let written = 0;
  return transaction(database.pool, async (sql) => {
    await sql.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    // The reader may be slow and a table long.
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
