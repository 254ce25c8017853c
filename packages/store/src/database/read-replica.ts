import { ProblemError } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from './database.ts';
import { query, type Sql } from './sql.ts';

/** Positions of the primary that are remembered until the replica has reached them. */
const MOST_SAMPLES = 50;

const POSITION = {
  name: 'primary-position',
  text: `SELECT pg_current_wal_lsn()::text AS lsn`,
  row: z.object({ lsn: z.string() }),
};

/* A replica that was promoted is a database of its own, whose rows say nothing of ours. */
const REACHED = {
  name: 'replica-reached',
  text: `
SELECT coalesce(max(place), 0)::int AS reached FROM unnest($1::pg_lsn[]) WITH ORDINALITY AS sample(lsn, place)
WHERE pg_is_in_recovery() AND lsn <= pg_last_wal_replay_lsn()`,
  row: z.object({ reached: z.int() }),
};

export type ReadSource = 'replica' | 'primary';

interface Options {
  /** How old may be what is read. Milliseconds. */
  maxLagMs: number;
  onRead(source: ReadSource): void;
  /** A read of the replica failed, and was made at the primary. */
  onError(error: unknown): void;
}

/**
 * Reads that may be a little old, at a standby of the primary. It is asked only while it is known to have all that the
 * primary had committed `maxLagMs` ago: the position of the primary's log is read now and then, and the replica must have
 * come past it. No clocks are compared. Whatever fails there is read at the primary.
 */
export class ReadReplica {
  readonly #primary: Pick<Database, 'pool'>;
  readonly #replica: Pick<Database, 'pool' | 'close'>;
  readonly #options: Options;
  /** Oldest first. `at`: before the position was read, by this process's steady clock. */
  readonly #samples: { at: number; lsn: string }[] = [];
  /** All that was committed by then, the replica has. */
  #freshAt = Number.NEGATIVE_INFINITY;
  #sampledAt = Number.NEGATIVE_INFINITY;
  #sampling = false;

  constructor(primary: Pick<Database, 'pool'>, replica: Pick<Database, 'pool' | 'close'>, options: Options) {
    this.#primary = primary;
    this.#replica = replica;
    this.#options = options;
  }

  /** `work` only reads. It may be run twice: where the replica fails, again at the primary. */
  async read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const now = performance.now();
    if (now - this.#sampledAt > this.#options.maxLagMs / 4) void this.#sample(now);
    if (now - this.#freshAt <= this.#options.maxLagMs) {
      try {
        const result = await work(this.#replica.pool);
        this.#options.onRead('replica');
        return result;
      } catch (error) {
        if (error instanceof ProblemError) throw error;
        this.#distrust(error);
      }
    }
    this.#options.onRead('primary');
    return work(this.#primary.pool);
  }

  close(): Promise<void> {
    return this.#replica.close();
  }

  async #sample(at: number): Promise<void> {
    if (this.#sampling) return;
    this.#sampling = true;
    this.#sampledAt = at;
    try {
      const [position] = await query(this.#primary.pool, POSITION, []);
      if (position === undefined) return;
      this.#samples.push({ at, lsn: position.lsn });
      if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
      const lsns = this.#samples.map(({ lsn }) => lsn);
      const [found] = await query(this.#replica.pool, REACHED, [lsns]);
      const reached = this.#samples.splice(0, found?.reached ?? 0).at(-1);
      if (reached !== undefined) this.#freshAt = Math.max(this.#freshAt, reached.at);
    } catch (error) {
      this.#distrust(error);
    } finally {
      this.#sampling = false;
    }
  }

  /** Until it is known to have come past a position again. */
  #distrust(error: unknown): void {
    this.#freshAt = Number.NEGATIVE_INFINITY;
    this.#samples.length = 0;
    this.#options.onError(error);
  }
}
