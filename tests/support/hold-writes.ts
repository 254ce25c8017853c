import type { Database } from '@turnpike/store';
import { untilTrue } from './until-true.ts';

/** Any number: what the gate is locked with. */
const GATE = 4_711;

/**
 * Keeps every update of this column of `turns` waiting just before it is made, until `count` of those that `begin`
 * begins wait for something; then lets all of them go at once. So each of them
 * has read before any of the others writes. Needs a pool of more than `count` connections.
 */
export async function allAtOnce<Result>(
  { pool }: Pick<Database, 'pool'>,
  column: 'dispatched_at' | 'reserved_micros',
  count: number,
  begin: (index: number) => Promise<Result>,
): Promise<Result[]> {
  await pool.query(`
    CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(${GATE});
      RETURN NEW;
    END $$;
    CREATE TRIGGER wait_at_gate BEFORE UPDATE OF ${column} ON turns FOR EACH ROW EXECUTE FUNCTION wait_at_gate()`);
  const keeper = await pool.connect();
  try {
    await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);
    const all = Promise.all(Array.from({ length: count }, (_, index) => begin(index)));
    // What fails is thrown where it is awaited.
    all.catch(() => undefined);
    await untilTrue('all of them wait', async () => {
      const { rows } = await keeper.query(
        `SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE NOT granted AND datname = current_database()`,
      );
      return rows.length === count;
    });
    await keeper.query('SELECT pg_advisory_unlock($1)', [GATE]);
    return await all;
  } finally {
    keeper.release();
    await pool.query('DROP TRIGGER wait_at_gate ON turns; DROP FUNCTION wait_at_gate()');
  }
}
