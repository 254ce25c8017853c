import { newId, type SealedSecret } from '@turnpike/contract';
import {
  createDataKeys,
  dataKeyIdOf,
  openSecret,
  readWrappedKey,
  sealSecret,
  SecretUnreadableError,
  writeWrappedKey,
  type KeyProvider,
  type StoredDataKey,
} from '@turnpike/secrets';
import type { Secret } from '@turnpike/telemetry';
import { LRUCache } from 'lru-cache';
import type { Database } from './database.ts';

/** Seals and opens what is secret, under each tenant's own data key. May throw what the key provider throws. */
export interface Vault {
  /** Binds the value to its tenant, name, field and version: anywhere else it does not open. */
  seal(tenantId: string, name: string, field: string, version: number, plain: Secret): Promise<SealedSecret>;
  /** Makes ready to seal for a tenant, so that `seal` asks the database nothing for some minutes. */
  prepare(tenantId: string): Promise<void>;
  /** Throws `SecretUnreadableError` for what was sealed for another place, or with another key. */
  open(tenantId: string, sealed: SealedSecret): Promise<Secret>;
  /** The tenant's secret of this name; null where there is none. */
  read(tenantId: string, name: string): Promise<Secret | null>;
  close(): void;
}

/** The field of a tenant's own secrets, which have no other. */
export const VALUE = 'value';
const NEWEST_KEPT_MS = 300_000;

export function openVault(database: Database, provider: KeyProvider): Vault {
  const keys = createDataKeys(provider);
  const { prisma } = database;

  const findNewestKey = async (tenantId: string): Promise<StoredDataKey> => {
    const row = await prisma.dataKey.findFirst({ where: { tenantId }, orderBy: { id: 'desc' } });
    if (row !== null) return { id: row.id, tenantId, wrapped: readWrappedKey(row.wrapped) };
    // Two that come at once make two keys; each envelope names its own.
    const made = await keys.create(newId('dataKey'), tenantId);
    await prisma.dataKey.create({ data: { id: made.id, tenantId, wrapped: writeWrappedKey(made.wrapped) } });
    return made;
  };

  // What seals inside a transaction must not need a second connection: all of them may be in transactions.
  const newest = new LRUCache<string, StoredDataKey>({
    max: 10_000,
    ttl: NEWEST_KEPT_MS,
    fetchMethod: findNewestKey,
  });
  const newestKey = (tenantId: string): Promise<StoredDataKey> => newest.forceFetch(tenantId);

  const keyOf = async (tenantId: string, envelope: string): Promise<StoredDataKey> => {
    const id = dataKeyIdOf(envelope);
    const row = await prisma.dataKey.findFirst({ where: { id, tenantId } });
    if (row === null) throw new SecretUnreadableError();
    return { id, tenantId, wrapped: readWrappedKey(row.wrapped) };
  };

  const open = async (tenantId: string, sealed: SealedSecret): Promise<Secret> => {
    const { name, field, version, envelope } = sealed;
    const key = await keyOf(tenantId, envelope);
    return keys.use(key, (dataKey) => openSecret(dataKey, { tenantId, name, field, version }, envelope));
  };

  return {
    async seal(tenantId, name, field, version, plain) {
      const key = await newestKey(tenantId);
      const place = { tenantId, name, field, version };
      const envelope = await keys.use(key, (dataKey) => sealSecret(dataKey, place, plain));
      return { name, field, version, envelope };
    },
    async prepare(tenantId) {
      await newestKey(tenantId);
    },
    open,
    async read(tenantId, name) {
      const row = await prisma.secret.findUnique({ where: { tenantId_name: { tenantId, name } } });
      if (row === null) return null;
      return open(tenantId, { name, field: VALUE, version: row.version, envelope: row.envelope });
    },
    close: () => keys.close(),
  };
}
