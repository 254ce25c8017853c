import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { exportTenant } from '@turnpike/store';
import { Failure } from '../failure.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';
import { requireTenant } from './tenants.ts';

/**
 * Writes a line of JSON for each row that a tenant owns. The last line has their number, which shows that the export is
 * complete; a file gets its name only once it is complete.
 */
export async function printTenantRows(tenant: string, { output }: { output?: string }): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const tenantId = await requireTenant(database, tenant);
    if (output === undefined) {
      await write(process.stdout);
      return;
    }
    const unfinished = `${output}.unfinished`;
    const file = createWriteStream(unfinished, { flags: 'wx', mode: 0o600 });
    try {
      await write(file);
      file.end();
      await finished(file);
      await rename(unfinished, output);
    } catch (error) {
      file.destroy();
      if (!isTaken(error)) await rm(unfinished, { force: true });
      throw isTaken(error) ? new Failure(`${unfinished} is there already.`) : error;
    }

    async function write(to: Writable): Promise<void> {
      let failed: Error | undefined;
      to.on('error', (error) => {
        failed = error;
      });
      const writeLine = async (line: object): Promise<void> => {
        if (failed !== undefined) throw failed;
        if (!to.write(`${JSON.stringify(line)}\n`)) await once(to, 'drain');
      };
      await writeLine({ tenant: tenantId, exported_at: new Date().toISOString() });
      const rows = await exportTenant(database, tenantId, writeLine);
      await writeLine({ rows });
    }
  });
}

const isTaken = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EEXIST';
