import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSchemaDrift } from '@turnpike/store';
import { Children } from '../children/children.ts';
import { readDatabaseUrl, readServerEnvironment } from '../config.ts';
import { Failure } from '../failure.ts';
import { PRISMA_FOLDER, PROGRAMS } from '../places.ts';
import type { PostgresArgument } from '../programs/postgres.ts';
import { say } from '../say.ts';
import { withDatabase } from '../with-database.ts';

const STOP_WITHIN_MS = 30_000;

/** Compares what the migrations make with `schema.prisma`. Returns the exit code: 1 where they differ. */
export async function checkSchema(): Promise<number> {
  const url = readDatabaseUrl();
  const differences = await (url === undefined
    ? withTemporaryPostgres((temporary) => findSchemaDrift(temporary, PRISMA_FOLDER))
    : withDatabase(url, () => findSchemaDrift(url, PRISMA_FOLDER)));
  if (differences.length === 0) {
    say('The migrations make what schema.prisma says.');
    return 0;
  }
  say('The migrations (-) and schema.prisma (+) differ:');
  for (const difference of differences) say(difference);
  return 1;
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
