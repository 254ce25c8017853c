import {
  newId,
  secretRefusal,
  TerminalError,
  type SealedSecret,
  type SecretDestination,
} from '@turnpike/contract';
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
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { query } from '../database/sql.ts';

/** Seals and opens secrets under each tenant's data key. May throw what the key provider throws. */
export interface SecretBox {
  /** Binds the value to its tenant, name, field and version: it opens nowhere else. */
  seal(tenantId: string, name: string, field: string, version: number, plain: Secret): Promise<SealedSecret>;
  /** Loads what `seal` needs for a tenant, so that `seal` makes no request for some minutes. */
  prepare(tenantId: string): Promise<void>;
  /** Throws `SecretUnreadableError` for an envelope that is bound elsewhere, or sealed with another key. */
  open(tenantId: string, sealed: SealedSecret): Promise<Secret>;
  /**
   * The tenant's secret of this name, to be sent to this destination only; null if there is none. Throws a
   * `TerminalError`, `secret_refused`, if it may not be sent there.
   */
  read(tenantId: string, name: string, destination: SecretDestination): Promise<Secret | null>;
  /**
   * The tenant's secret of this name for a worker's own code, with the hosts that it may be sent to (null: any); null if
   * there is none. Throws a `TerminalError`, `secret_refused`, for a key of the model.
   */
  readForCode(tenantId: string, name: string): Promise<CodeSecret | null>;
  close(): void;
}

export interface CodeSecret {
  value: Secret;
  allowedHosts: string[] | null;
}

/** The field of secrets that tenants store, which have only one. */
export const VALUE = 'value';
const NEWEST_KEPT_MS = 300_000;

const keyRow = z.object({ id: z.string(), wrapped: z.string() });

const NEWEST_KEY = {
  name: 'newest-data-key',
  text: `SELECT id, wrapped FROM data_keys WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1`,
  row: keyRow,
};

const READ_KEY = {
  name: 'read-data-key',
  text: `SELECT id, wrapped FROM data_keys WHERE id = $1 AND tenant_id = $2`,
  row: keyRow,
};

const INSERT_KEY = {
  name: 'insert-data-key',
  text: `INSERT INTO data_keys (id, tenant_id, wrapped) VALUES ($1, $2, $3) RETURNING id`,
  row: z.object({ id: z.string() }),
};

const READ_SECRET = {
  name: 'read-sealed-secret',
  text: `
SELECT version, envelope, allowed_hosts AS "allowedHosts", is_model_key AS "isModelKey"
FROM secrets WHERE tenant_id = $1 AND name = $2`,
  row: z.object({
    version: z.int(),
    envelope: z.string(),
    allowedHosts: z.array(z.string()),
    isModelKey: z.boolean(),
  }),
};

/** Throws `RetryableError` for every failure while the database is away: the caller may wait. */
export function openSecretBox(database: Database, provider: KeyProvider): SecretBox {
  const keys = createDataKeys(provider);
  const { pool } = database;

  const findNewestKey = async (tenantId: string): Promise<StoredDataKey> => {
    const [row] = await query(pool, NEWEST_KEY, [tenantId]);
    if (row !== undefined) return { id: row.id, tenantId, wrapped: readWrappedKey(row.wrapped) };
    // Two concurrent callers make two keys; each envelope names its own.
    const made = await keys.create(newId('dataKey'), tenantId);
    await query(pool, INSERT_KEY, [made.id, tenantId, writeWrappedKey(made.wrapped)]);
    return made;
  };

  // Sealing inside a transaction must not need a second connection: every connection may be in a transaction.
  const newest = new LRUCache<string, StoredDataKey>({
    max: 10_000,
    ttl: NEWEST_KEPT_MS,
    fetchMethod: findNewestKey,
  });
  const newestKey = (tenantId: string): Promise<StoredDataKey> => newest.forceFetch(tenantId);

  const keyOf = async (tenantId: string, envelope: string): Promise<StoredDataKey> => {
    const id = dataKeyIdOf(envelope);
    const [row] = await query(pool, READ_KEY, [id, tenantId]);
    if (row === undefined) throw new SecretUnreadableError();
    return { id, tenantId, wrapped: readWrappedKey(row.wrapped) };
  };

  const open = async (tenantId: string, sealed: SealedSecret): Promise<Secret> => {
    const { name, field, version, envelope } = sealed;
    const key = await keyOf(tenantId, envelope);
    return keys.use(key, (dataKey) => openSecret(dataKey, { tenantId, name, field, version }, envelope));
  };

  const readFor = async (
    tenantId: string,
    name: string,
    destination: SecretDestination,
  ): Promise<CodeSecret | null> => {
    const [row] = await query(pool, READ_SECRET, [tenantId, name]);
    if (row === undefined) return null;
    const allowedHosts = row.allowedHosts.length === 0 ? null : row.allowedHosts;
    const refusal = secretRefusal({ allowed_hosts: allowedHosts, model_key: row.isModelKey }, destination);
    if (refusal !== null) throw new TerminalError('secret_refused', `The secret ${name} ${refusal}.`);
    const sealed = { name, field: VALUE, version: row.version, envelope: row.envelope };
    return { value: await open(tenantId, sealed), allowedHosts };
  };

  return {
    async seal(tenantId, name, field, version, plain) {
      const key = await newestKey(tenantId);
      const place = { tenantId, name, field, version };
      const envelope = await keys.use(key, (dataKey) => sealSecret(dataKey, place, plain));
      return { name, field, version, envelope };
    },
    async prepare(tenantId) {
      await keys.use(await newestKey(tenantId), () => undefined);
    },
    open,
    async read(tenantId, name, destination) {
      const found = await readFor(tenantId, name, destination);
      return found?.value ?? null;
    },
    readForCode: (tenantId, name) => readFor(tenantId, name, { by: 'code' }),
    close: () => keys.close(),
  };
}
