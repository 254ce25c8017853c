import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient, type Prisma } from '../generated/client.ts';
import { connectionTo, readSessionTarget } from './session-settings.ts';

/** Prisma's client for reading: nothing is written through it (decision 10). */
type Reads = {
  readonly [Model in Uncapitalize<Prisma.ModelName>]: Pick<
    PrismaClient[Model],
    'findFirst' | 'findMany' | 'findUnique' | 'findUniqueOrThrow'
  >;
};

/** The source of truth, on one pool. Plain reads go through `prisma`, everything else is SQL over `pool`. */
export interface Database {
  readonly pool: pg.Pool;
  readonly prisma: Reads;
  /** The Postgres schema of all its tables: `?schema=` of the address, or `public`. */
  readonly schema: string;
  /** Rejects if Postgres does not answer within the connection timeout. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** The most connections. */
  poolSize: number;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
  /** Called when an idle connection breaks: for logging, since the pool replaces it. */
  onError(error: Error): void;
  /** Whether its idle connections keep the process from ending by itself. Default: true. */
  holdsProcess?: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** No statement of ours needs longer; one that takes longer holds locks that others wait for. */
const STATEMENT_TIMEOUT_MS = 15_000;

const IDLE_IN_TRANSACTION_MS = 10_000;

/* Decision 11. */
const PLANNING = [
  // A prepared statement keeps the plan that it got while its tables were small, so it must look rows up by an index
  // from the start.
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  // Queued rows leave dead entries in indexes. Only an index scan marks them, so that later scans skip them.
  'enable_bitmapscan=off',
  // Plans are the same whatever the values, so a statement needs one, and not one for each of its first executions.
  'plan_cache_mode=force_generic_plan',
  // Made for long reports: compiling a short statement takes longer than running it.
  'jit=off',
];

/**
 * Opens the pool. Connects lazily; `ping` tells whether it can. Throws `DatabaseSettingsError` for an address that
 * is not supported. A statement throws the same for a session whose settings our SQL cannot work with.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const target = readSessionTarget(options.url, PLANNING);
  const pool = new pg.Pool({
    ...connectionTo(target),
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // Notices a server that disappeared, hours before the kernel would.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    // A process that froze inside a transaction must not keep its locks.
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    allowExitOnIdle: options.holdsProcess === false,
    // Statements that are sent without waiting for results leave in one write, and cost one round trip.
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
