import { chmod, readFile, writeFile } from 'node:fs/promises';
import {
  createApiKey,
  createTenant,
  findKeyHolder,
  findTenantByName,
  hashApiKey,
  isApiKey,
  type Database,
} from '@turnpike/store';

const NAME = 'development';
/** Whoever runs it on a machine is its operator too. */
const SCOPES = ['admin', 'operator'] as const;

/**
 * The API key in this file. Where it is missing or unknown to the database, creates one for the development tenant, and
 * that tenant where it is missing.
 */
export async function developmentKey(database: Database, file: string): Promise<string> {
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (isApiKey(kept) && (await findKeyHolder(database.pool, hashApiKey(kept))) !== null) return kept;
  const tenantId =
    (await findTenantByName(database, NAME)) ?? (await createTenant(database, NAME, { operatorKey: true }));
  const { key } = await createApiKey(database.pool, { tenantId, name: NAME, scopes: SCOPES });
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  // Writing an existing file does not change its mode.
  await chmod(file, 0o600);
  return key;
}

/** A day of work. */
const CONSOLE_SECONDS = 12 * 60 * 60;

/** The URL of the console that signs in, with a key of its own that expires by itself. What follows `#` is sent nowhere. */
export async function consoleUrl(database: Database, apiUrl: string): Promise<string> {
  const tenantId = await findTenantByName(database, NAME);
  if (tenantId === null) return `${apiUrl}/console`;
  const made = { tenantId, name: 'console', scopes: SCOPES, expiresInSeconds: CONSOLE_SECONDS } as const;
  const { key } = await createApiKey(database.pool, made);
  return `${apiUrl}/console#key=${key}`;
}
