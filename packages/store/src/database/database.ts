import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient, type Prisma } from '../generated/client.ts';
import { connectionTo, readSessionTarget } from './session-settings.ts';
import { SERVICE_SETTINGS, STATEMENT_TIMEOUT_MS } from './service-settings.ts';

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

/**
 * Opens the pool. Connects lazily; `ping` tells whether it can. Throws `DatabaseSettingsError` for an address that
 * is not supported. For a session whose settings our SQL cannot work with, `ping` throws the same, and a statement
 * `StoreUnavailableError`: an operator can mend it while the program runs.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const target = readSessionTarget(options.url, SERVICE_SETTINGS);
  const pool = new pg.Pool({
    ...connectionTo(target),
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // Notices a server that disappeared, hours before the kernel would.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    keepAlive: true,
    allowExitOnIdle: options.holdsProcess === false,
    // Statements that are sent without waiting for results leave in one write, and cost one round trip.
    pipeline: true,
  });
  pool.on('error', options.onError);
  let prisma: PrismaClient | undefined;
  return {
    pool,
    // Made by the first read that uses it: reading its model of the schema is a tenth of a program's start.
    get prisma() {
      return (prisma ??= new PrismaClient({ adapter: new PrismaPg(pool, { schema: target.schema }) }));
    },
    schema: target.schema,
    async ping() {
      await pool.query('SELECT 1');
    },
    async close() {
      await prisma?.$disconnect();
      await pool.end();
    },
  };
}
