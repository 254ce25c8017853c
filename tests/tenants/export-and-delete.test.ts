import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '@turnpike/contract';
import {
  createApiKey,
  createTenant,
  findKeyHolder,
  hashApiKey,
  listTenantTables,
  openDatabase,
  type Database,
} from '@turnpike/store';
import { z } from 'zod';
import { CommandLine, projectFolder, type Ended } from '../cli/command-line.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { untilTrue } from '../support/until-true.ts';

let folder: string;
let url: string;
let drop: () => Promise<void>;
let database: Database;
beforeAll(async () => {
  folder = projectFolder();
  ({ url, drop } = await createTestDatabase());
  database = openDatabase({ url, poolSize: 2, applicationName: 'test', onError: () => undefined });
});
afterAll(async () => {
  await database.close();
  await drop();
  rmSync(folder, { recursive: true, force: true });
});

const begin = (...words: string[]): CommandLine =>
  new CommandLine(['tenants', ...words], {
    folder,
    environment: { PATH: process.env['PATH'] ?? '', DATABASE_URL: url },
  });
const turnpike = (...words: string[]): Promise<Ended> => begin(...words).untilEnded();

const SEALED = 'sealed-canary';

/** A row of each kind, as plain as the database takes it; `$1` is the tenant, `$2` tells its rows from another's. */
const ROWS = {
  sessions: `(id, tenant_id, agent_id, metadata, last_sequence) VALUES ('sess_' || $2, $1, 'agent_' || $2, '{"a": "b"}', 3)`,
  agents: `(id, tenant_id, name) VALUES ('agent_' || $2, $1, 'a')`,
  agent_versions: `(agent_id, tenant_id, version, config) VALUES ('agent_' || $2, $1, 1, '{}')`,
  turns: `(id, tenant_id, session_id, sequence, agent_id, agent_version, metadata, status, finished_at, deadline_at)
    SELECT 'turn_' || $2 || n, $1, 'sess_' || $2, n, 'agent_' || $2, 1, '{"a": "b"}', 'completed', now(), now()
    FROM generate_series(1, 50) AS n`,
  steps: `(turn_id, index, id, tenant_id, type, input_tokens, output_tokens, cache_creation_input_tokens,
     cache_read_input_tokens, attempts, epoch, started_at)
    VALUES ('turn_' || $2 || 1, 0, 'step_' || $2, $1, 'model_call', 1, 1, 0, 0, 1, 1, now())`,
  messages: `(turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
    SELECT 'turn_' || $2 || n, 0, 'msg_' || $2 || n, $1, 'sess_' || $2, n, 'user', '[]' FROM generate_series(1, 50) AS n`,
  events: `(turn_id, sequence_number, id, tenant_id, type, payload) VALUES ('turn_' || $2 || 1, 1, 'evt_' || $2, $1, 'turn.queued', '{}')`,
  tool_calls: `(id, tenant_id, turn_id, step_index, position, tool_use_id, name, input, effect, status)
    VALUES ('call_' || $2, $1, 'turn_' || $2 || 1, 0, 0, 'toolu', 'memory', '{}', 'read', 'completed')`,
  tool_steps: `(tool_call_id, kind, name, tenant_id, turn_id, effect, status, result, epoch)
    VALUES ('call_' || $2, 'step', 'charge', $1, 'turn_' || $2 || 1, 'once', 'completed', '{}', 1)`,
  memory_calls: `(tool_call_id, tenant_id, output) VALUES ('call_' || $2, $1, '{}')`,
  memory_files: `(tenant_id, namespace, path, content) VALUES ($1, 'default', '/memories/' || $2, 'Noted.')`,
  summaries: `(session_id, through_sequence, tenant_id, turn_id, step_index, content) VALUES ('sess_' || $2, 1, $1, 't', 0, 'Short.')`,
  tools: `(id, tenant_id, name, config, signing_envelope) VALUES ('tool_' || $2, $1, 'tool', '{}', '${SEALED}')`,
  mcp_servers: `(id, tenant_id, name, config) VALUES ('mcp_' || $2, $1, 'server', '{}')`,
  mcp_tool_lists: `(tenant_id, hash, tools) VALUES ($1, 'hash_' || $2, '[]')`,
  turn_mcp_lists: `(turn_id, server, tenant_id, hash) VALUES ('turn_' || $2 || 1, 'server', $1, 'hash_' || $2)`,
  files: `(id, tenant_id, session_id, filename, media_type, bytes, status, storage, upload_token, upload_until)
    VALUES ('file_' || $2, $1, 'sess_' || $2, 'a.txt', 'text/plain', 3, 'ready', 'postgres', '${SEALED}', now())`,
  data_keys: `(id, tenant_id, wrapped) VALUES ('dek_' || $2, $1, '${SEALED}')`,
  secrets: `(tenant_id, name, envelope, last_four) VALUES ($1, 'secret_' || $2, '${SEALED}', 'last')`,
  model_settings: `(tenant_id) SELECT $1 WHERE $2 <> ''`,
  audit_entries: `(id, tenant_id, actor_type, action) VALUES ('aud_' || $2, $1, 'operator', 'tenant.created')`,
  ledger_entries: `(step_id, tenant_id, session_id, turn_id, agent_id, model, input_tokens, output_tokens,
     cache_creation_input_tokens, cache_read_input_tokens, cost_micros, counted)
    VALUES ('step_' || $2, $1, 's', 't', 'a', 'm', 1, 1, 0, 0, 1, false)`,
  budgets: `(tenant_id, period, set_by, limit_micros) SELECT $1, 'day', 'tenant', 5 WHERE $2 <> ''`,
  spending: `(tenant_id, period, starts_on) SELECT $1, 'day', now() WHERE $2 <> ''`,
  idempotency_records: `(tenant_id, route, key, fingerprint, status, headers, body, expires_at)
    SELECT $1, 'POST /', $2 || n, '', 202, '{}', '', now() + interval '1 day' FROM generate_series(1, 3000) AS n`,
  webhook_endpoints: `(id, tenant_id, url, events) VALUES ('wh_' || $2, $1, 'https://hooks.example', '{}')`,
  webhook_receivers: `(id, tenant_id, try_at) VALUES ('wh_' || $2, $1, now())`,
  webhook_secrets: `(owner, version, tenant_id, envelope) VALUES ('wh_' || $2, 1, $1, '${SEALED}')`,
  push_configs: `(turn_id, id, tenant_id, url, envelope)
    VALUES ('turn_' || $2 || 1, 'push_' || $2, $1, 'https://hooks.example', '${SEALED}')`,
  tenant_events: `(id, tenant_id, type, payload) VALUES ('evt_' || $2, $1, 'budget.exhausted', '{}')`,
  deliveries: `(id, tenant_id, endpoint_id, lane, event_id, type, turn_id, payload)
    VALUES ('dlv_' || $2, $1, 'wh_' || $2, 'wh_' || $2, 'evt_' || $2, 'turn.completed', 'turn_' || $2 || 1, '{}')`,
  delivery_attempts: `(delivery_id, number, started_at, duration_ms) SELECT 'dlv_' || $2, 1, now(), 1 WHERE $1 <> ''`,
  turn_batches: `(id, tenant_id, status) VALUES ('batch_' || $2, $1, 'completed')`,
  batch_lines: `(batch_id, index, custom_id) SELECT 'batch_' || $2, n, 'line' || n FROM generate_series(1, 50) AS n WHERE $1 <> ''`,
  model_batches: `(id, tenant_id, route, requests, poll_at) VALUES ('mbatch_' || $2, $1, '{}', 1, now() + interval '1 day')`,
  batched_calls: `(id, tenant_id, turn_id, step_index, route, route_hash, priced, most_micros, send_at)
    VALUES ('bcall_' || $2, $1, 'turn_' || $2 || 1, 0, '{}', '', '{}', 1, now())`,
  schedules: `(id, tenant_id, timing, turn, session, overlap, catch_up, catch_up_seconds, jitter_seconds)
    VALUES ('sched_' || $2, $1, '{}', '{}', 'new', 'skip', 'none', 60, 0)`,
  schedule_runs: `(id, tenant_id, schedule_id, tick_at, due_at, status) VALUES ('run_' || $2, $1, 'sched_' || $2, now(), now(), 'skipped')`,
  user_erasures: `(id, tenant_id, user_hash, key_id) VALUES ('erase_' || $2, $1, 'hash', 'key_' || $2)`,
  outages: `(tenant_id, id, probe_at) VALUES ($1, 'model ' || $2, now())`,
};

/** A tenant with a row of every kind, and a key. */
async function makeTenant(name: string): Promise<{ id: string; mark: string; key: string }> {
  const id = await createTenant(database, name);
  const mark = newId('request').slice(-26);
  for (const [table, row] of Object.entries(ROWS)) {
    // With their types said, since a value may be used for its length alone.
    const text = `INSERT INTO ${table} ${row}`.replaceAll('$1', '$1::text').replaceAll('$2', '$2::text');
    await database.pool.query(text, [id, mark]);
  }
  const { key } = await createApiKey(database.pool, { tenantId: id, name: 'k', scopes: ['admin'] });
  return { id, mark, key };
}

/** Every row of every table, as text. */
async function readAllRows(): Promise<Map<string, string[]>> {
  const { rows: tables } = await database.pool.query(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
  );
  const all = new Map<string, string[]>();
  for (const { name } of tables) {
    const { rows } = await database.pool.query(
      `SELECT to_jsonb(t)::text AS row FROM "${name}" AS t ORDER BY 1`,
    );
    all.set(
      name,
      rows.map(({ row }) => row),
    );
  }
  return all;
}
const of = (all: Map<string, string[]>, ...marks: string[]): [string, string][] =>
  [...all].flatMap(([table, rows]) =>
    rows
      .filter((row) => marks.some((mark) => row.includes(mark)))
      .map((row): [string, string] => [table, row]),
  );

const lineSchema = z.object({ table: z.string(), row: z.record(z.string(), z.unknown()) });

test('the tables of tenants are those of the catalogue, and this test has a row for each', async () => {
  const names = (await listTenantTables(database.pool)).map(({ name }) => name);
  const made = [...Object.keys(ROWS), 'api_keys', 'turn_labels', 'session_labels'];
  expect(names.toSorted()).toEqual(made.toSorted());
  const { rows } = await database.pool.query(
    `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'`,
  );
  expect(names).toEqual(expect.arrayContaining(rows.map(({ name }) => name)));
});

test('an export has every row of the tenant once, none of another, and nothing that is sealed', async () => {
  const ours = await makeTenant('Exported');
  const theirs = await makeTenant('Other');
  const { code, output, reportedErrors } = await turnpike('export', 'Exported');
  expect({ code, reportedErrors }).toEqual({ code: 0, reportedErrors: '' });
  const lines: unknown[] = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines[0]).toMatchObject({ tenant: ours.id });
  expect(lines.at(-1)).toEqual({ rows: lines.length - 2 });
  const exported = lines.slice(1, -1).map((line) => lineSchema.parse(line));
  const owned = of(await readAllRows(), ours.id, ours.mark);
  const counts = (tables: string[]) =>
    Object.fromEntries(tables.map((table) => [table, tables.filter((each) => each === table).length]));
  expect(counts(exported.map(({ table }) => table))).toEqual(counts(owned.map(([table]) => table)));
  expect(exported.find(({ table }) => table === 'secrets')?.row).toMatchObject({
    name: `secret_${ours.mark}`,
    version: 1,
  });
  for (const hidden of [theirs.id, theirs.mark, SEALED, '"last"', hashApiKey(ours.key).toString('hex')])
    expect([hidden, output.includes(hidden)]).toEqual([hidden, false]);

  const file = join(folder, 'export.jsonl');
  expect(await turnpike('export', ours.id, '--output', file)).toEqual({
    code: 0,
    output: '',
    reportedErrors: '',
  });
  const strip = (text: string): string => text.slice(text.indexOf('\n'));
  expect(strip(readFileSync(file, 'utf8'))).toBe(strip(output));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await turnpike('export', 'Nobody')).code).toBe(1);
});

test('a tenant is deleted with every row that it owns, and no other tenant loses one', async () => {
  const ours = await makeTenant('Deleted');
  await makeTenant('Kept');
  const before = await readAllRows();
  const owned = of(before, ours.id, ours.mark);
  expect(owned.length).toBeGreaterThan(3_000);
  const { code, output, reportedErrors } = await turnpike('delete', 'Deleted', '--yes');
  expect({ code, reportedErrors }).toEqual({ code: 0, reportedErrors: '' });
  expect(output).toContain(`deleted ${ours.id} Deleted: `);
  const after = await readAllRows();
  expect(of(after, ours.id, ours.mark)).toEqual([]);
  const gone = new Set(owned.map(([table, row]) => `${table} ${row}`));
  for (const [table, rows] of before)
    expect([table, after.get(table)]).toEqual([table, rows.filter((row) => !gone.has(`${table} ${row}`))]);
  expect((await turnpike('delete', 'Deleted', '--yes')).reportedErrors).toBe(
    'turnpike: There is no tenant Deleted.\n',
  );
});

test('the content of files is erased with their tenant, and is in no export', async () => {
  const { id, mark } = await makeTenant('Filing');
  await database.pool.query(`INSERT INTO file_chunks VALUES ('file_' || $1, 0, 'content-canary')`, [mark]);
  const { output } = await turnpike('export', 'Filing');
  expect(output).toContain(`file_${mark}`);
  const hex = Buffer.from('content-canary').toString('hex');
  for (const hidden of ['content-canary', hex, Buffer.from(SEALED).toString('hex')])
    expect([hidden, output.includes(hidden)]).toEqual([hidden, false]);
  expect((await turnpike('delete', 'Filing', '--yes')).code).toBe(0);
  expect(of(await readAllRows(), id, mark)).toEqual([]);
});

test('nothing is deleted without a yes, nor while a turn has not ended', async () => {
  const { id, mark, key } = await makeTenant('Busy');
  const rows = await readAllRows();
  expect(await turnpike('delete', 'Busy')).toMatchObject({
    code: 1,
    reportedErrors: expect.stringContaining('--yes'),
  });
  await database.pool.query(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, deadline_at)
     VALUES ('turn_open' || $2, $1, 'sess_' || $2, 100, 'agent_' || $2, 1, now() + interval '1 hour')`,
    [id, mark],
  );
  const refused = await turnpike('delete', 'Busy', '--yes');
  expect(refused).toMatchObject({ code: 1, output: '' });
  expect(refused.reportedErrors).toContain('1 of its turns have not ended: say --cancel');
  expect(await findKeyHolder(database.pool, hashApiKey(key))).not.toBeNull();
  await database.pool.query(`DELETE FROM turns WHERE id = 'turn_open' || $1`, [mark]);
  expect(await readAllRows()).toEqual(rows);

  await database.pool.query(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, deadline_at)
     VALUES ('turn_open' || $2, $1, 'sess_' || $2, 100, 'agent_' || $2, 1, now() + interval '1 hour')`,
    [id, mark],
  );
  await database.pool.query(`UPDATE sessions SET open_turns = 1 WHERE id = 'sess_' || $1`, [mark]);
  expect(await turnpike('delete', 'Busy', '--yes', '--cancel')).toMatchObject({
    code: 0,
    reportedErrors: '',
  });
  expect(of(await readAllRows(), id, mark)).toEqual([]);
});

test('a deletion that was killed goes on where it is begun again, and the keys are worth nothing from the first', async () => {
  const { id, mark, key } = await makeTenant('Killed');
  // Another transaction locks a row: the deletion stops there, halfway.
  const holder = await database.pool.connect();
  await holder.query('BEGIN');
  await holder.query(`SELECT 1 FROM turns WHERE id = 'turn_' || $1 || 50 FOR UPDATE`, [mark]);
  const deletion = begin('delete', id, '--yes');
  await untilTrue('it waits for the row', async () => {
    const { rows } = await database.pool.query(
      `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'turnpike-cli'`,
    );
    return rows.length > 0;
  });
  expect(await findKeyHolder(database.pool, hashApiKey(key))).toBeNull();
  deletion.process.kill('SIGKILL');
  await deletion.untilEnded();
  await holder.query('ROLLBACK');
  holder.release();
  const left = of(await readAllRows(), id, mark);
  expect(left.length).toBeGreaterThan(0);
  expect(left.map(([table]) => table)).toContain('tenants');
  expect(await turnpike('delete', id, '--yes')).toMatchObject({ code: 0, reportedErrors: '' });
  expect(of(await readAllRows(), id, mark)).toEqual([]);
});
