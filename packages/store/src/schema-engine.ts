import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as engine from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { z } from 'zod';

/**
 * Prisma's schema engine as WebAssembly: the same migrations table and the same SQL as
 * `prisma migrate`, without its native binary, so that it works where nothing can be downloaded.
 */
export async function withSchemaEngine<Result>(
  databaseUrl: string,
  schema: SchemaFile,
  work: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  await load();
  const pool = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  try {
    const adapter = bindMigrationAwareSqlAdapterFactory(new WholeScripts(pool));
    const datamodels: [string, string][] = [[schema.path, schema.content]];
    const opened = await engine.SchemaEngine.new({ datamodels }, () => {}, adapter);
    try {
      return await work(opened);
    } finally {
      opened.free();
    }
  } finally {
    await pool.end();
  }
}

/**
 * Prisma's adapter cuts a script at every semicolon, also inside a function's body. Sent whole,
 * Postgres does the cutting, and a migration is one implicit transaction: all of it or nothing.
 */
class WholeScripts extends PrismaPg {
  override async connect(): ReturnType<PrismaPg['connect']> {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => {
      await adapter.underlyingDriver().query(script);
    };
    return adapter;
  }
}

// Node has it, Node's types leave it to the DOM's.
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: unknown } }>;
};

let loading: Promise<void> | undefined;

/** A module of WebAssembly is one for the process; a second instance would take the first one's place. */
function load(): Promise<void> {
  loading ??= instantiate();
  return loading;
}

/**
 * The engine limits the wait for its lock with a timer that it never clears; left alone, it
 * keeps every process that migrates alive for ten seconds more.
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

/** Every migration below `folder`/migrations, oldest first. */
export async function readMigrations(folder: string): Promise<MigrationList> {
  const baseDir = join(folder, 'migrations');
  const entries = await readdir(baseDir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  names.sort();
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
