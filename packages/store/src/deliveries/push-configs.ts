import { MOST_PUSH_CONFIGS, type PushConfig, type PushCredentials } from '@turnpike/contract';
import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import type { SecretBox } from '../secrets/secret-box.ts';
import type { ClaimedDelivery } from './claim-delivery.ts';

/** Part of what an envelope is bound to; there is one envelope of a configuration, and it is only replaced. */
const FIELD = 'push_credentials';
const VERSION = 1;

const credentialsSchema = z.object({ token: z.string().nullable(), authorization: z.string().nullable() });

const ofTurn = (turnId: string, id: string): string => `${turnId} ${id}`;

const ADD = {
  name: 'add-push-config',
  text: `
SELECT turnpike_add_push_config($1, $2, $3, $4, $5, $6, ${MOST_PUSH_CONFIGS}) AS id`,
  row: z.object({ id: z.string().nullable() }),
};

/**
 * Adds a configuration to a turn of the tenant, or replaces the one with its id, to whose URL nothing more is sent. From then on it gets every event of the
 * turn, and the present one where the turn has ended or waits. False where the turn has too many. Call
 * `secretBox.prepare` before it, if `sql` is in a transaction.
 */
export async function addPushConfig(
  sql: Sql,
  secretBox: SecretBox,
  turn: { tenantId: string; turnId: string },
  config: PushConfig,
  credentials: PushCredentials,
): Promise<boolean> {
  const { tenantId, turnId } = turn;
  const { id, url, scheme } = config;
  const plain = new Secret(JSON.stringify(credentials));
  const { envelope } = await secretBox.seal(tenantId, ofTurn(turnId, id), FIELD, VERSION, plain);
  const [added] = await query(sql, ADD, [tenantId, turnId, id, url, scheme, envelope]);
  return added?.id != null;
}

const configRow = z.object({ id: z.string(), url: z.string(), scheme: z.string().nullable() });

const LIST = {
  name: 'list-push-configs',
  text: `
SELECT id, url, scheme FROM push_configs WHERE turn_id = $2 AND tenant_id = $1 ORDER BY created_at, id`,
  row: configRow,
};

/** The configurations of a turn, oldest first. They are few. */
export function listPushConfigs(sql: Sql, tenantId: string, turnId: string): Promise<PushConfig[]> {
  return query(sql, LIST, [tenantId, turnId]);
}

/* The functions, with their invariants, are in packages/store/sql/functions. */
const REMOVE = {
  name: 'remove-push-config',
  text: `SELECT turnpike_remove_push_config($1, $2, $3) AS removed`,
  row: z.object({ removed: z.boolean() }),
};

/** Removes a configuration, if there is one: nothing more is sent to it. */
export async function removePushConfig(
  sql: Sql,
  tenantId: string,
  turnId: string,
  id: string,
): Promise<void> {
  await query(sql, REMOVE, [tenantId, turnId, id]);
}

/* By the URL as well: between the claim and this statement, the configuration may have been replaced. */
const READ_SEALED = {
  name: 'read-push-credentials',
  text: `SELECT envelope FROM push_configs WHERE turn_id = $1 AND id = $2 AND url = $3`,
  row: z.object({ envelope: z.string() }),
};

/** What a delivery to a configuration is sent with; null where that was removed, or has another URL by now. */
export async function readPushCredentials(
  sql: Sql,
  secretBox: SecretBox,
  { tenantId, turnId, pushConfigId, url }: ClaimedDelivery,
): Promise<PushCredentials | null> {
  if (turnId === null || pushConfigId === null) return null;
  const [sealed] = await query(sql, READ_SEALED, [turnId, pushConfigId, url]);
  if (sealed === undefined) return null;
  const name = ofTurn(turnId, pushConfigId);
  const opened = await secretBox.open(tenantId, { name, field: FIELD, version: VERSION, ...sealed });
  return credentialsSchema.parse(JSON.parse(opened.reveal()));
}
