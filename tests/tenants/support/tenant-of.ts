import { newId, type Agent, type Turn } from '@turnpike/contract';
import { changeLimits, createApiKey, createTenant } from '@turnpike/store';
import type { Cluster, HttpResponse } from '../../support/cluster.ts';

const DEADLOCK = '40P01';

/** One customer of a cluster, with a key and an agent of its own. */
export interface Customer {
  tenantId: string;
  agentId: string;
  request(method: string, path: string, body?: unknown): Promise<HttpResponse>;
  /** A turn with a session of its own. */
  submit(input: string, options?: Record<string, unknown>): Promise<Turn>;
  untilEnded(turnId: string): Promise<Turn>;
  /** Stores turns that wait, each the head of a session of its own, as accepting them would have. */
  fillQueue(turns: number, input: string): Promise<void>;
  /** Erases all of its sessions, and what runs in them. */
  leave(): Promise<void>;
}

export async function addCustomer(
  cluster: Cluster,
  name: string,
  limits: Parameters<typeof changeLimits>[2] = {},
): Promise<Customer> {
  const { database } = cluster;
  const tenantId = await createTenant(database, name, { operatorKey: true });
  await changeLimits(database.pool, tenantId, limits);
  const { key } = await createApiKey(database.pool, { tenantId, name: 'test', scopes: ['admin'] });
  const request = (method: string, path: string, body?: unknown): Promise<HttpResponse> =>
    cluster.request(method, path, body, { authorization: `Bearer ${key}` });
  const made = await request('POST', '/v1/agents', { name: 'test', model: 'claude-sonnet-4-5' });
  const { id: agentId } = made.body as Agent;
  return {
    tenantId,
    agentId,
    request,
    async submit(input, options = {}) {
      const response = await request('POST', '/v1/turns', { agent_id: agentId, input, ...options });
      if (response.status !== 202) throw new Error(`Not accepted: ${JSON.stringify(response.body)}`);
      return response.body as Turn;
    },
    async untilEnded(turnId) {
      for (;;) {
        const turn = (await request('GET', `/v1/turns/${turnId}?wait=20`)).body as Turn;
        if (turn.finished_at !== null) return turn;
      }
    },
    async fillQueue(turns, input) {
      const ids = (kind: 'session' | 'turn' | 'message' | 'event'): string[] =>
        Array.from({ length: turns }, () => newId(kind));
      await database.pool.query(FILL, [
        tenantId,
        agentId,
        JSON.stringify([{ type: 'text', text: input }]),
        ids('session'),
        ids('turn'),
        ids('message'),
        ids('event'),
      ]);
    },
    async leave() {
      // A few at a time: each takes its turns, messages and events with it.
      const erase = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE tenant_id = $1 LIMIT 250)`;
      for (let left = 1; left > 0;) {
        try {
          left = (await database.pool.query(erase, [tenantId])).rowCount ?? 0;
        } catch (error) {
          // It locks a session before its turns, and a worker that ends one of them the other way round.
          if ((error as { code?: unknown }).code !== DEADLOCK) throw error;
        }
      }
    },
  };
}

const FILL = `
WITH fresh AS (
  SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::text[]) AS fresh(session, turn, message, event)
), session AS (
  INSERT INTO sessions (id, tenant_id, agent_id, last_sequence, open_turns) SELECT session, $1, $2, 1, 1 FROM fresh
), turn AS (
  INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, message_count, event_count,
                     ready_at, deadline_at)
  SELECT turn, $1, session, 1, $2, 1, 1, 1, clock_timestamp(), now() + interval '1 hour' FROM fresh
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
  SELECT turn, 0, message, $1, session, 1, 'user', $3::jsonb FROM fresh
)
INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
SELECT turn, 1, event, $1, 'turn.queued', '{}' FROM fresh`;
