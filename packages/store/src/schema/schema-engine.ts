import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as engine from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import type pg from 'pg';
import { z } from 'zod';
import { migrationNames } from './migration-state.ts';

export interface EngineParts {
  schema: string;
  file: SchemaFile;
  /**
   * Called with the server's own error for a script, none of which stays. The engine throws a different
   * error.
   */
  onFailure?(error: Error): void;
  /** How long a script waits for a table's lock: every query of that table queues behind it. Default: 2 s. */
  tableLockMs?: number;
}

/** Begins a migration whose statements are sent one by one, each by itself, since one of them allows no transaction. */
const CONCURRENT = /^-- Each statement by itself\.\n/;

/**
 * Prisma's schema engine as WebAssembly: the same migrations table and the same SQL as `prisma migrate`,
 * without its native binary, so that it works without a download. The engine's lock is not taken here: the
 * caller holds it while it changes the schema (see `migrate.ts`).
 */
export async function withSchemaEngine<Result>(
  pool: pg.Pool,
  { schema, file, onFailure = () => undefined, tableLockMs = 2_000 }: EngineParts,
  work: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  await load();
  const adapter = bindMigrationAwareSqlAdapterFactory(
    new WholeScripts(pool, { schema, tableLockMs }, onFailure),
  );
  const datamodels: [string, string][] = [[file.path, file.content]];
  const opened = await engine.SchemaEngine.new({ datamodels }, () => {}, adapter);
  try {
    return await work(opened);
  } finally {
    opened.free();
  }
}

const ENGINE_LOCK = /^\s*SELECT pg_advisory_lock\(/i;

/**
 * Prisma's adapter splits a script at every semicolon, also inside a function's body. Here the script is sent
 * whole and Postgres splits it, and a migration is one transaction: all of it or nothing. One that says so is sent
 * statement by statement, so that it can build an index while the table is written to.
 */
class WholeScripts extends PrismaPg {
  readonly #onFailure: (error: Error) => void;
  readonly #tableLockMs: number;

  constructor(
    pool: pg.Pool,
    { schema, tableLockMs }: { schema: string; tableLockMs: number },
    onFailure: (error: Error) => void,
  ) {
    super(pool, { schema });
    this.#onFailure = onFailure;
    this.#tableLockMs = tableLockMs;
  }

  override async connect(): ReturnType<PrismaPg['connect']> {
    const adapter = await super.connect();
    const pool = adapter.underlyingDriver();
    adapter.executeScript = (script) =>
      CONCURRENT.test(script) ? this.#runEach(pool, script) : this.#runWhole(pool, script);
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = (query) =>
      ENGINE_LOCK.test(query.sql)
        ? Promise.resolve({ columnNames: [], columnTypes: [], rows: [] })
        : queryRaw(query);
    const executeRaw = adapter.executeRaw.bind(adapter);
    adapter.executeRaw = (query) => (ENGINE_LOCK.test(query.sql) ? Promise.resolve(0) : executeRaw(query));
    return adapter;
  }

  async #runWhole(pool: pg.Pool, script: string): Promise<void> {
    const client = await pool.connect();
    let isCommitted = false;
    try {
      await client.query(`BEGIN; SET LOCAL lock_timeout = ${this.#tableLockMs}`);
      await client.query(script).catch((error: unknown) => {
        if (error instanceof Error) this.#onFailure(error);
        throw error;
      });
      await client.query('COMMIT');
      isCommitted = true;
    } finally {
      // Closing the connection ends the transaction too.
      client.release(!isCommitted);
    }
  }

  /** Nothing waits behind `CONCURRENTLY`, so it may take as long as it needs. No statement contains a semicolon. */
  async #runEach(pool: pg.Pool, script: string): Promise<void> {
    const statements = script.split(/;\s*$/m).filter((each) => each.replaceAll(/^--.*$/gm, '').trim() !== '');
    const client = await pool.connect();
    try {
      for (const statement of statements)
        await client.query(statement).catch((error: unknown) => {
          if (error instanceof Error) this.#onFailure(error);
          throw error;
        });
    } finally {
      client.release();
    }
  }
}

// Node has it, but its types leave it to those of the DOM.
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: unknown } }>;
};

let loading: Promise<void> | undefined;

/** One instance for the process: the module's glue code holds one, and a second would replace it. */
function load(): Promise<void> {
  loading ??= instantiate();
  return loading;
}

/**
 * The engine limits the wait for its lock with a timer that it never clears, which would keep every migrating
 * process alive for ten more seconds.
 */
function idleTimers(): Record<string, unknown> {
  const names = Object.keys(engine).filter((name) => name.startsWith('__wbg_setTimeout'));
  const start = (run: () => void, delayMs: number): NodeJS.Timeout => setTimeout(run, delayMs).unref();
  return Object.fromEntries(names.map((name) => [name, start]));
}

const exportsSchema = z.looseObject({
  __wbindgen_start: z.custom<() => void>((it) => typeof it === 'function'),
});

async function instantiate(): Promise<void> {
  const glue = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = await readFile(join(dirname(glue), 'schema_engine_bg.wasm'));
  const imports = { './schema_engine_bg.js': { ...engine, ...idleTimers() } };
  const { instance } = await WebAssembly.instantiate(bytes, imports);
  engine.__wbg_set_wasm(instance.exports);
  exportsSchema.parse(instance.exports).__wbindgen_start();
}

export interface SchemaFile {
  path: string;
  content: string;
}

/** The folder `prisma/`: `schema.prisma` and `migrations/`. */
export async function readSchema(folder: string): Promise<SchemaFile> {
  const path = join(folder, 'schema.prisma');
  return { path, content: await readFile(path, 'utf8') };
}

/** Every migration in `folder`/migrations, oldest first. */
export async function readMigrations(folder: string): Promise<MigrationList> {
  const baseDir = join(folder, 'migrations');
  const names = await migrationNames(folder);
  const migrationDirectories = await Promise.all(
    names.map(async (name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok' as const, value: await readFile(join(baseDir, name, 'migration.sql'), 'utf8') },
      },
    })),
  );
  const lockfile = {
    path: 'migration_lock.toml',
    content: await readFile(join(baseDir, 'migration_lock.toml'), 'utf8'),
  };
  return { baseDir, lockfile, shadowDbInitScript: '', migrationDirectories };
}

export const NO_FILTERS = { externalTables: [], externalEnums: [] };
