import { newId } from '@turnpike/contract';
import type { Turnpike } from './turnpike.ts';

/** Turns in one statement, which must not exceed the statement timeout. */
const BATCH = 50_000;
const TURNS_IN_SESSION = 10;

/** Stores `count` ended turns, with their sessions, messages and events, as real runs would. */
export async function growTurns(
  turnpike: Turnpike,
  turns: number,
  onBatch: (stored: number) => void,
): Promise<void> {
  const client = await turnpike.database.pool.connect();
  try {
    await client.query('SET statement_timeout = 0');
    // As a replica, without triggers and foreign keys: the rows are consistent by construction.
    await client.query('SET session_replication_role = replica');
    for (let stored = 0; stored < turns; stored += BATCH) {
      const last = Math.min(turns, stored + BATCH) - 1;
      const values = [turnpike.tenantId, turnpike.agentId, stored, last];
      await client.query({ text: SESSIONS, values, ...NO_LIMIT });
      await client.query({ text: TURNS, values, ...NO_LIMIT });
      await client.query({ text: MESSAGES, values: [turnpike.tenantId, stored, last], ...NO_LIMIT });
      await client.query({ text: EVENTS, values: [turnpike.tenantId, stored, last], ...NO_LIMIT });
      onBatch(last + 1);
    }
    await client.query({ text: 'VACUUM ANALYZE', ...NO_LIMIT });
    await client.query('CHECKPOINT');
  } finally {
    client.release(true);
  }
}

const NO_LIMIT: object = { query_timeout: 0 };

const SESSION = `'sess_g' || lpad((n / ${TURNS_IN_SESSION})::text, 25, '0')`;
const TURN = `'turn_g' || lpad(n::text, 25, '0')`;

const SESSIONS = `
INSERT INTO sessions (id, tenant_id, agent_id, last_sequence, open_turns)
SELECT ${SESSION}, $1, $2, ${TURNS_IN_SESSION}, 0 FROM generate_series($3::int, $4::int, ${TURNS_IN_SESSION}) AS n`;

const TURNS = `
INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, status, stop_reason, output,
                   step_count, message_count, event_count, epoch, attempts, started_at, finished_at, deadline_at)
SELECT ${TURN}, $1, ${SESSION}, n % ${TURNS_IN_SESSION} + 1, $2, 1, 'completed', 'end_turn',
       '[{"type": "text", "text": "Hello to you."}]', 1, 2, 4, 1, 1, now(), now(), now() + interval '1 day'
FROM generate_series($3::int, $4::int) AS n`;

const MESSAGES = `
INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, step_index, role, content)
SELECT ${TURN}, place, 'msg_' || n || '_' || place, $1, ${SESSION}, n % ${TURNS_IN_SESSION} + 1,
       CASE WHEN place = 1 THEN 0 END, CASE WHEN place = 0 THEN 'user' ELSE 'assistant' END,
       '[{"type": "text", "text": "Hello to you."}]'
FROM generate_series($2::int, $3::int) AS n, generate_series(0, 1) AS place`;

const EVENTS = `
INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
SELECT ${TURN}, place, 'evt_' || n || '_' || place, $1,
       (ARRAY['turn.queued', 'turn.started', 'step.started', 'turn.completed'])[place], '{}'
FROM generate_series($2::int, $3::int) AS n, generate_series(1, 4) AS place`;

/** Stores a session with this many messages in ended turns, optionally with a summary of all but the last ten. */
export async function growSession(
  turnpike: Turnpike,
  messages: number,
  summarized: boolean,
): Promise<string> {
  const { pool } = turnpike.database;
  const sessionId = newId('session');
  const turns = messages / 2;
  await pool.query(
    `INSERT INTO sessions (id, tenant_id, agent_id, last_sequence, open_turns) VALUES ($1, $2, $3, $4, 0)`,
    [sessionId, turnpike.tenantId, turnpike.agentId, turns],
  );
  await pool.query(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, status, stop_reason,
                        message_count, started_at, finished_at, deadline_at)
     SELECT $1 || '_' || n, $2, $1, n, $3, 1, 'completed', 'end_turn', 2, now(), now(), now() + interval '1 day'
     FROM generate_series(1, $4::int) AS n`,
    [sessionId, turnpike.tenantId, turnpike.agentId, turns],
  );
  await pool.query(
    `INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
     SELECT $1 || '_' || n, place, $1 || '_' || n || '_' || place, $2, $1, n,
            CASE WHEN place = 0 THEN 'user' ELSE 'assistant' END, '[{"type": "text", "text": "Hello to you."}]'
     FROM generate_series(1, $3::int) AS n, generate_series(0, 1) AS place`,
    [sessionId, turnpike.tenantId, turns],
  );
  if (summarized) {
    await pool.query(
      `INSERT INTO summaries (session_id, through_sequence, tenant_id, turn_id, step_index, content)
       VALUES ($1, $2, $3, $1 || '_' || $2::int, 0, 'They said hello, many times.')`,
      [sessionId, Math.max(1, turns - 5), turnpike.tenantId],
    );
  }
  await pool.query('ANALYZE messages, turns, summaries');
  return sessionId;
}

/** Stores the tenants from number `from` up to `to`, each with a turn whose time has not come and one that has ended. */
export async function growTenants(
  { database: { pool }, agentId }: Turnpike,
  from: number,
  to: number,
): Promise<void> {
  const numbers = [from, to - 1];
  const tenant = `'ten_g' || lpad(n::text, 25, '0')`;
  const session = `'sess_t' || lpad(n::text, 25, '0')`;
  await pool.query(
    `INSERT INTO tenants (id, name) SELECT ${tenant}, 'Grown' FROM generate_series($1::int, $2::int) AS n`,
    numbers,
  );
  await pool.query(
    `INSERT INTO sessions (id, tenant_id, agent_id, last_sequence, open_turns)
     SELECT ${session}, ${tenant}, $3, 1, 1 FROM generate_series($1::int, $2::int) AS n`,
    [...numbers, agentId],
  );
  await pool.query(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, message_count, event_count, ready_at,
                        available_at, deadline_at)
     SELECT 'turn_t' || lpad(n::text, 25, '0'), ${tenant}, ${session}, 1, $3, 1, 1, 1, now(), now() + interval '1 day',
            now() + interval '2 days' FROM generate_series($1::int, $2::int) AS n`,
    [...numbers, agentId],
  );
  await pool.query('ANALYZE tenants, sessions, turns');
}
