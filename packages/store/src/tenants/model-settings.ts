import { modelAuthSchema, type ModelSettings, type PutModelSettings } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const settingsRow = z
  .object({
    keys: z.array(z.string()),
    baseUrl: z.string().nullable(),
    auth: modelAuthSchema,
    operatorKey: z.boolean(),
    updatedAt: z.date().nullable(),
  })
  .transform((row): ModelSettings => ({
    object: 'model_settings',
    keys: row.keys,
    base_url: row.baseUrl,
    auth: row.auth,
    operator_key: row.operatorKey,
    updated_at: row.updatedAt?.toISOString() ?? null,
  }));

const PUT = {
  name: 'put-model-settings',
  text: `
INSERT INTO model_settings (tenant_id, keys, base_url, auth) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id) DO UPDATE
SET keys = excluded.keys, base_url = excluded.base_url, auth = excluded.auth, updated_at = now()
RETURNING keys, base_url AS "baseUrl", auth, updated_at AS "updatedAt",
  (SELECT operator_key FROM tenants WHERE id = $1) AS "operatorKey"`,
  row: settingsRow,
};

/** Replaces a tenant's model settings. Turns use them from their next claim on. */
export async function putModelSettings(
  sql: Sql,
  tenantId: string,
  { keys, base_url: baseUrl, auth }: PutModelSettings,
): Promise<ModelSettings> {
  const [put] = await query(sql, PUT, [tenantId, keys, baseUrl, auth]);
  if (put === undefined) throw new Error('An upsert returned no row.');
  return put;
}

const READ = {
  name: 'read-model-settings',
  text: `
SELECT coalesce(model_settings.keys, '{}') AS keys, model_settings.base_url AS "baseUrl",
  coalesce(model_settings.auth, 'x-api-key') AS auth, model_settings.updated_at AS "updatedAt",
  tenants.operator_key AS "operatorKey"
FROM tenants LEFT JOIN model_settings ON model_settings.tenant_id = tenants.id WHERE tenants.id = $1`,
  row: settingsRow,
};

/** A tenant's model settings, or the defaults. Throws if the tenant does not exist. */
export async function readModelSettings(sql: Sql, tenantId: string): Promise<ModelSettings> {
  const [settings] = await query(sql, READ, [tenantId]);
  if (settings === undefined) throw new Error('There is no such tenant.');
  return settings;
}
