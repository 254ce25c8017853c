import { createHash, randomBytes } from 'node:crypto';
import { newId } from '@turnpike/contract';
import type { Database } from './database.ts';

/** Whose key it is. */
export interface KeyHolder {
  keyId: string;
  tenantId: string;
}

/** What is stored of a key, and looked up by: its SHA-256. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Makes a key of 256 random bits. `key` is the only time that it can be seen. */
export async function createApiKey(
  database: Database,
  apiKey: { tenantId: string; name: string },
): Promise<{ id: string; key: string }> {
  const key = `tp_live_${randomBytes(32).toString('base64url')}`;
  const id = newId('apiKey');
  await database.prisma.apiKey.create({
    data: { ...apiKey, id, hash: new Uint8Array(hashApiKey(key)), lastFour: key.slice(-4) },
  });
  return { id, key };
}

/** Null for a key that is unknown or revoked. */
export async function findKeyHolder(database: Database, hash: Buffer): Promise<KeyHolder | null> {
  const row = await database.prisma.apiKey.findUnique({ where: { hash: new Uint8Array(hash) } });
  return row === null || row.revokedAt !== null ? null : { keyId: row.id, tenantId: row.tenantId };
}

/** A key as an operator sees it. */
export interface ApiKeyRow {
  id: string;
  name: string;
  lastFour: string;
  createdAt: Date;
  revokedAt: Date | null;
}

/** All keys of a tenant, the revoked ones too, the oldest first. */
export function listApiKeys(database: Database, tenantId: string): Promise<ApiKeyRow[]> {
  return database.prisma.apiKey.findMany({
    where: { tenantId },
    orderBy: { id: 'asc' },
    select: { id: true, name: true, lastFour: true, createdAt: true, revokedAt: true },
  });
}

/** True when the key was there and valid until now. */
export async function revokeApiKey(database: Database, keyId: string): Promise<boolean> {
  const revoked = await database.prisma.apiKey.updateMany({
    where: { id: keyId, revokedAt: null },
    data: { revokedAt: new Date() },
  });
  return revoked.count > 0;
}
