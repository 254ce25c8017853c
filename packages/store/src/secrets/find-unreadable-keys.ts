import { readWrappedKey, type KeyProvider } from '@turnpike/secrets';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { isUnreadable } from './rewrap-data-keys.ts';

const SAMPLE = {
  name: 'sample-data-keys',
  text: `
SELECT DISTINCT ON (split_part(wrapped, ' ', 1)) split_part(wrapped, ' ', 1) AS "keyId", tenant_id AS "tenantId", wrapped
FROM data_keys ORDER BY 1, id DESC`,
  row: z.object({ keyId: z.string(), tenantId: z.string(), wrapped: z.string() }),
};

/**
 * The ids of master keys that data keys are under and that the provider cannot use: of each, the newest data key is
 * tried. `tried` are all of them. Throws `KeyProviderError` where the provider does not serve.
 */
export async function findUnreadableKeys(
  sql: Sql,
  provider: Pick<KeyProvider, 'unwrap'>,
): Promise<{ tried: string[]; unreadable: string[] }> {
  const samples = await query(sql, SAMPLE, []);
  const unreadable: string[] = [];
  for (const { keyId, tenantId, wrapped } of samples) {
    try {
      (await provider.unwrap(readWrappedKey(wrapped), { tenantId })).fill(0);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      unreadable.push(keyId);
    }
  }
  return { tried: samples.map(({ keyId }) => keyId), unreadable };
}
