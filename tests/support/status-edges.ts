import { violates } from '../../packages/store/src/database/sql.ts';
import type { Database } from '@turnpike/store';

/**
 * Tries every move between two of these statuses on a row of its own, and returns those that the table's trigger lets
 * pass, as `from to`. `store` inserts a row with the status $1, `move` gives it the status $1.
 */
export async function edgesThatPass(
  pool: Database['pool'],
  table: 'turns' | 'deliveries',
  statuses: readonly string[],
  statements: { store: string; move: string },
): Promise<string[]> {
  const passing: string[] = [];
  const client = await pool.connect();
  try {
    for (const from of statuses) {
      for (const to of statuses.filter((status) => status !== from)) {
        await client.query('BEGIN');
        await client.query(statements.store, [from]);
        try {
          await client.query(statements.move, [to]);
          passing.push(`${from} ${to}`);
        } catch (error) {
          if (!violates(error, `${table}_status_edge`)) throw error;
        } finally {
          await client.query('ROLLBACK');
        }
      }
    }
  } finally {
    client.release();
  }
  return passing.toSorted();
}
