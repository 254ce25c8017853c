import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { makeScratchFolder } from './scratch-folder.ts';
import type { Service } from './service.ts';
import { untilTrue } from './until-true.ts';

/** PgBouncer refuses to run as root. */
const NOBODY = 65_534;

export interface PgBouncer extends Service {
  /** The address of this database through the pooler. */
  addressOf(databaseUrl: string): string;
  /** By SIGKILL. */
  kill(): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
}

/** Whether there is a `pgbouncer` on PATH. */
export const hasPgBouncer = spawnSync('pgbouncer', ['--version']).error === undefined;

/**
 * A PgBouncer in transaction mode before the server of this address, as it comes: it takes none of the startup
 * options that it does not know. `poolSize` sessions are shared by all clients of a database.
 */
export async function startPgBouncer(serverUrl: string, { poolSize = 10 } = {}): Promise<PgBouncer> {
  const server = new URL(serverUrl);
  const port = await freePort();
  const folder = makeScratchFolder('turnpike-test-pgbouncer-');
  await chmod(folder, 0o755);
  const file = join(folder, 'pgbouncer.ini');
  const { hostname, username, password } = server;
  await writeFile(join(folder, 'users.txt'), `"${username}" "${password}"\n`);
  await writeFile(
    file,
    `[databases]
* = host=${hostname} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${join(folder, 'users.txt')}
admin_users = ${username}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 1000
`,
  );
  const isRoot = process.getuid?.() === 0;
  let pooler: ChildProcess;
  const start = async (): Promise<void> => {
    pooler = spawn('pgbouncer', ['-q', file], {
      stdio: ['ignore', 'ignore', 'ignore'],
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    // To its console: a session of a database would stay as it is when the settings of its role change.
    const address = new URL(serverUrl);
    address.port = String(port);
    address.pathname = '/pgbouncer';
    await untilTrue('PgBouncer accepts connections', () => accepts(address.href));
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (pooler.exitCode !== null || pooler.signalCode !== null) return;
    const exited = once(pooler, 'exit');
    pooler.kill(signal);
    await exited;
  };
  await start();
  return {
    url: `postgres://${username}:${password}@127.0.0.1:${port}/postgres`,
    addressOf(databaseUrl) {
      const address = new URL(databaseUrl);
      address.host = `127.0.0.1:${port}`;
      return address.href;
    },
    start,
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SHOW VERSION');
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}
