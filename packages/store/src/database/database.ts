import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../generated/client.ts';
import { connectionTo, readSessionTarget } from './session-settings.ts';

/**
 * The truth, on one pool. What must be atomic or fenced is SQL over `pool`; what is only
 * read, or written as a plain row, goes through `prisma`.
 */
export interface Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /** That of all its tables: `?schema=` of the address, or `public`. */
  readonly schema: string;
  /** Rejects when Postgres does not answer within the connection timeout. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** Connections at most. */
  poolSize: number;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
  /** A pooled connection broke while nobody used it: to be logged, the pool replaces it. */
  onError(error: Error): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** No statement of ours needs longer; one that does holds locks that others wait for. */
const STATEMENT_TIMEOUT_MS = 15_000;

const IDLE_IN_TRANSACTION_MS = 10_000;

const PLANNING = [
  // A prepared statement keeps the plan that it got while its tables were small: it is to look up by an index what
  // it needs, row by row, however little there is as yet.
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  // Rows that wait leave dead entries behind in their indexes, which only an index scan marks, to pass over them.
  'enable_bitmapscan=off',
  // For long reports: it takes longer to compile a short statement than to run it.
  'jit=off',
];

/**
 * Opens the pool. Connects lazily; ask `ping` to know. Throws `DatabaseSettingsError` for an address that
 * cannot be worked with; a session that turns out so is refused with the same error whenever one is opened.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const target = readSessionTarget(options.url, PLANNING);
  const pool = new pg.Pool({
    ...connectionTo(target),
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // A server that is gone without a word is noticed here, not by the kernel hours later.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    // A process that froze inside a transaction must not hold what others wait for.
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    // What a transaction sends without waiting for the answers leaves in one write, and costs one round trip.
    pipeline: true,
  });
  pool.on('error', options.onError);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { schema: target.schema }) });
  return {
    pool,
    prisma,
    schema: target.schema,
    async ping() {
      await pool.query('SELECT 1');
    },
    async close() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}
