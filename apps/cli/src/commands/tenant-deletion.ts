import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  cancelTurn,
  deleteTenant,
  findTenants,
  listOpenTurns,
  revokeAllKeys,
  type Database,
} from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';
import { requireTenant } from './tenants.ts';

/** How long workers may take to stop the tenant's turns before they are deleted. */
const MOST_WAIT_MS = 60_000;
const LOOK_EVERY_MS = 500;
/** Processes cache API keys: a revoked key works for up to a second. */
const KEYS_KNOWN_MS = 1_500;
const BATCH = 100;

/**
 * Deletes a tenant with all that it owns, and prints how much that was. Its keys are revoked first. After a kill, the
 * command may be run again. Throws a `Failure` where turns have not ended, unless `cancel` is set.
 */
export async function eraseTenant(
  tenant: string,
  { yes = false, cancel = false }: { yes?: boolean; cancel?: boolean },
): Promise<void> {
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const tenantId = await requireTenant(database, tenant);
    const name = (await findTenants(database, tenantId))[0]?.name ?? tenantId;
    if (!yes) await confirm(name, tenantId);
    if (!cancel) await refuseWhileOpen(database, tenantId, 'Nothing was deleted.');
    const keys = await revokeAllKeys(database, tenantId);
    if (keys > 0) await delay(KEYS_KNOWN_MS);
    if (cancel) await cancelAll(database, tenantId);
    else await refuseWhileOpen(database, tenantId, 'Its keys are revoked, and nothing else was done.');
    const deleted = new Map<string, number>();
    await deleteTenant(database, tenantId, (table, rows) => {
      deleted.set(table, (deleted.get(table) ?? 0) + rows);
    });
    const counts = [...deleted].map(([table, rows]) => `${table} ${rows}`);
    say(
      `${new Date().toISOString()} deleted ${tenantId} ${name}: ${counts.join(', ') || 'nothing was left'}`,
    );
  });
}

async function confirm(name: string, tenantId: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Failure(`Say --yes to delete ${name} (${tenantId}) and all that it owns.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Type "${name}" to delete it and all that it owns: `);
  terminal.close();
  if (answer !== name) throw new Failure('That is not its name. Nothing was deleted.');
}

async function refuseWhileOpen(database: Database, tenantId: string, done: string): Promise<void> {
  const open = await listOpenTurns(database, tenantId, { after: '', limit: BATCH + 1 });
  if (open.length === 0) return;
  const count = open.length > BATCH ? `More than ${BATCH}` : String(open.length);
  throw new Failure(`${count} of its turns have not ended: say --cancel to cancel them. ${done}`);
}

async function cancelAll(database: Database, tenantId: string): Promise<void> {
  for (let after = ''; ;) {
    const turns = await listOpenTurns(database, tenantId, { after, limit: BATCH });
    for (const turnId of turns) await cancelTurn(database.pool, tenantId, turnId, TRANSITIONS.cancel.from);
    if (turns.length < BATCH) break;
    after = turns.at(-1) ?? '';
  }
  const start = performance.now();
  while (performance.now() - start < MOST_WAIT_MS) {
    const open = await listOpenTurns(database, tenantId, { after: '', limit: 1 });
    if (open.length === 0) return;
    await delay(LOOK_EVERY_MS);
  }
}
