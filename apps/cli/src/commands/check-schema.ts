import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSchemaProblems, writeSchemaSnapshot } from '@turnpike/store';
import { Children } from '../children/children.ts';
import { readDatabaseUrl, readServerEnvironment } from '../config.ts';
import { Failure } from '../failure.ts';
import { PROGRAMS, SCHEMA_FOLDERS } from '../paths.ts';
import type { PostgresArgument } from '../programs/postgres.ts';
import { say } from '../say.ts';
import { withDatabase } from '../with-database.ts';

const STOP_WITHIN_MS = 30_000;

/** Compares the migrations with everything that describes the schema. Returns the exit code: 1 where something differs. */
export async function checkSchema(): Promise<number> {
  const problems = await withServer((url) => findSchemaProblems(url, SCHEMA_FOLDERS));
  for (const { title, lines, remedy } of problems) {
    say(title);
    for (const line of lines) say(`  ${line}`);
    say(`${remedy}\n`);
  }
  if (problems.length > 0) return 1;
  say('The migrations make what schema.prisma, sql/schema.sql and sql/functions say.');
  return 0;
}

/** Writes the snapshot of the schema that the migrations make. */
export async function writeSchema(): Promise<void> {
  say(`Wrote ${await withServer((url) => writeSchemaSnapshot(url, SCHEMA_FOLDERS))}.`);
}

/** Calls `work` with the server that is set, or with a temporary one. */
function withServer<Result>(work: (url: string) => Promise<Result>): Promise<Result> {
  const url = readDatabaseUrl();
  return url === undefined ? withTemporaryPostgres(work) : withDatabase(url, () => work(url));
}

async function withTemporaryPostgres<Result>(work: (url: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'turnpike-schema-check-'));
  const runFile = join(folder, 'running.json');
  const argument: PostgresArgument = { folder, runFile, isThrowaway: true };
  const children = await Children.open(runFile);
  try {
    const postgres = children.start({
      name: 'postgres',
      title: 'Postgres',
      program: PROGRAMS.postgres,
      argument,
      environment: readServerEnvironment(),
      logFile: join(folder, 'postgres.log'),
      stopWithinMs: STOP_WITHIN_MS,
      killSignal: 'SIGQUIT',
    });
    const { url } = await postgres.ready;
    if (url === undefined) throw new Failure('Postgres did not say where it is.');
    return await work(url);
  } finally {
    // Its folder goes with it. Where it did not start, the folder stays: its log is in there.
    await children.stop();
  }
}
