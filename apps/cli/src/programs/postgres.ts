import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { openDatabase, type Database } from '@turnpike/store';
import { z } from 'zod';
import { readServerEnvironment } from '../config.ts';
import { describeError } from '../failure.ts';
import { endLeftoverServer } from '../postgres/end-leftover-server.ts';
import { findBinaries } from '../postgres/find-binaries.ts';
import { prepareCluster } from '../postgres/prepare-cluster.ts';
import { findServerUser } from '../postgres/server-user.ts';
import { freePort } from './free-port.ts';
import { keepServer } from './keep-server.ts';
import { notifyParent } from './notify-parent.ts';

const TRY_AGAIN_MS = 50;
/** Errors while the server is starting: it does not listen yet, or says so. */
const NOT_YET = ['ECONNREFUSED', 'ECONNRESET', '57P03'];

const argumentSchema = z.object({
  folder: z.string(),
  runFile: z.string(),
  /** Its data is deleted when it stops, so it need not wait for the disk. */
  isThrowaway: z.boolean(),
});
export type PostgresArgument = z.infer<typeof argumentSchema>;

try {
  await run(argumentSchema.parse(JSON.parse(process.argv[2] ?? '')));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(1);
}

async function run({ folder, runFile, isThrowaway }: PostgresArgument): Promise<void> {
  const user = await findServerUser();
  const binaries = await findBinaries(user);
  const cluster = await prepareCluster({ folder, binaries, user, isThrowaway });
  await endLeftoverServer(cluster.dataFolder);

  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    // No Unix socket: its folder may be missing or not writable.
    unix_socket_directories: '',
    max_connections: '200',
    ...(isThrowaway ? { fsync: 'off' } : {}),
  };
  const server = spawn(
    binaries.postgres,
    [
      '-D',
      cluster.dataFolder,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { ...user, env: { ...readServerEnvironment(), LC_ALL: 'C' }, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  keepServer(server, {
    stopSignal: 'SIGINT',
    killSignal: 'SIGQUIT',
    runFile,
    cleanUp: async () => {
      if (isThrowaway) await rm(folder, { recursive: true, force: true });
    },
  });
  const url = `postgres://postgres:${cluster.password}@127.0.0.1:${port}/postgres`;
  await untilItAnswers(url);
  notifyParent({ url, serverPid: server.pid });
}

/** Recovery after a crash may take a while. If the server exits instead, so does this process. */
async function untilItAnswers(url: string): Promise<void> {
  const database = openDatabase({
    url,
    poolSize: 1,
    applicationName: 'turnpike-cli',
    onError: () => undefined,
  });
  while (!(await answers(database))) await delay(TRY_AGAIN_MS);
  await database.close();
}

async function answers(database: Database): Promise<boolean> {
  try {
    await database.ping();
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code === 'string' && !NOT_YET.includes(code)) throw error;
    return false;
  }
}
