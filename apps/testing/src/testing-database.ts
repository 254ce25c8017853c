import { fork } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { migrate, openDatabase, type Database } from '@turnpike/store';
import { z } from 'zod';
import { readServerEnvironment, readTestDatabaseUrl } from './config.ts';

const ROOT = new URL('../../../', import.meta.url);
const POSTGRES = fileURLToPath(new URL('dist/postgres.js', ROOT));
const MIGRATIONS = fileURLToPath(new URL('prisma', ROOT));
const CONNECTIONS = 8;

const helloSchema = z.object({ type: z.literal('ready'), url: z.string() });

let opened: Promise<Database> | null = null;

/**
 * The database of this process's tests, made at the first call: at `TURNPIKE_TEST_DATABASE_URL`, else an embedded
 * Postgres, which ends with the process. Neither keeps the process from ending.
 */
export function openTestingDatabase(): Promise<Database> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Database> {
  const url = readTestDatabaseUrl() ?? (await startPostgres());
  await migrate(url, MIGRATIONS);
  return openDatabase({
    url,
    poolSize: CONNECTIONS,
    applicationName: 'turnpike-testing',
    // The server of this process ends with it.
    onError: () => undefined,
    holdsProcess: false,
  });
}

/** Starts a Postgres whose data is thrown away. Throws with the end of its log where it cannot be started. */
async function startPostgres(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-testing-'));
  // As root, Postgres runs as another user, who must get to its data.
  await chmod(folder, 0o711);
  const logFile = join(folder, 'log');
  const log = openSync(logFile, 'a');
  const argument = { folder, runFile: join(folder, 'running.json'), isThrowaway: true };
  const child = fork(POSTGRES, [JSON.stringify(argument)], {
    env: readServerEnvironment(),
    // A process group of its own: Ctrl-C goes to the tests, and it ends with them.
    detached: true,
    execArgv: [],
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => {
      const hello = helloSchema.safeParse(message);
      if (hello.success) resolve(hello.data.url);
      else reject(new Error('The Postgres of the tests did not say where it is.'));
    });
    child.once('error', reject);
    child.once('exit', () => {
      const why = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
      rmSync(folder, { recursive: true, force: true });
      reject(new Error(`The Postgres of the tests could not be started:\n${why}`));
    });
  });
  child.removeAllListeners('exit');
  child.unref();
  child.channel?.unref();
  return url;
}
