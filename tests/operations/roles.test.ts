import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Batch } from '@turnpike/contract';
import pg from 'pg';
import { CommandLine } from '../cli/command-line.ts';
import { Cluster } from '../support/cluster.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { makeScratchFolder } from '../support/scratch-folder.ts';
import type { Service } from '../support/service.ts';
import { untilTrue } from '../support/until-true.ts';
import { Receiver } from '../webhooks/support/receiver.ts';

/*
 * An installation whose programs have the roles that `turnpike roles` makes, on a server of its own: roles are of a whole
 * server.
 */

let server: Service;
let receiver: Receiver;
let cluster: Cluster;
let folder: string;
beforeAll(async () => {
  server = await startPostgres();
  receiver = await Receiver.start();
  folder = makeScratchFolder('roles');
  // Before the first migration it makes the roles; after it, it takes away what is too much.
  await applyRoles();
  await turnpike({ DATABASE_URL: urlOf('turnpike_migrate') }, 'migrate');
  await applyRoles();
  cluster = await Cluster.start({
    workers: 0,
    databaseUrl: server.url,
    environment: { DATABASE_URL: urlOf('turnpike_api'), EGRESS_ALLOW: '127.0.0.1' },
  });
  await cluster.startWorker({ DATABASE_URL: urlOf('turnpike_worker') });
});
afterAll(async () => {
  await cluster.stop();
  await receiver.stop();
  await server.stop();
  rmSync(folder, { recursive: true });
});

function urlOf(role: string): string {
  const url = new URL(server.url);
  url.username = role;
  url.password = 'a-password';
  return url.href;
}

async function turnpike(environment: Record<string, string>, ...words: string[]): Promise<string> {
  const options = { folder, environment: { PATH: process.env['PATH'] ?? '', ...environment } };
  const { code, output, reportedErrors } = await new CommandLine(words, options).untilEnded();
  if (code !== 0)
    throw new Error(`turnpike ${words.join(' ')} ended with ${code}: ${output}${reportedErrors}`);
  return output;
}

async function applyRoles(): Promise<void> {
  const script = await turnpike({ DATABASE_URL: server.url }, 'roles');
  const passwords = ['migrate', 'api', 'worker'].map(
    (name) => `ALTER ROLE turnpike_${name} PASSWORD 'a-password';`,
  );
  await as(server.url, script + passwords.join('\n'));
}

/** Runs SQL in a connection of its own. */
async function as(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

test('turns with tools, webhooks, batches, secrets, keys and schedules run with these roles', async () => {
  await cluster.control.setScript({
    rules: [{ match: { step: 0 }, reply: { tool_uses: [{ name: 'current_time' }, { name: 'notify' }] } }],
  });
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const { status, body: said } = await cluster.request(method, path, body);
    expect([path, status < 300, said]).toEqual([path, true, said]);
    return said;
  };
  await ask('POST', '/v1/webhook_endpoints', { url: `${receiver.url}/events` });
  await ask('PUT', '/v1/secrets/token', { value: 'of Acme' });
  const key = (await ask('POST', '/v1/api_keys', { name: 'k', scopes: ['turns:read'] })) as { id: string };
  await ask('DELETE', `/v1/api_keys/${key.id}`);
  await cluster.createTool({ name: 'notify', url: `${receiver.url}/tool`, effect: 'once' });
  const agent = await cluster.createAgent({
    tools: [
      { type: 'builtin', name: 'current_time' },
      { type: 'http', name: 'notify' },
    ],
  });
  const turn = await cluster.submit({ agentId: agent.id }, 'Hello');
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed' });
  const items = [{ custom_id: 'one', agent_id: agent.id, input: 'Hello' }];
  const { id } = (await ask('POST', '/v1/batches', { items })) as Batch;
  const schedule = {
    timing: { type: 'interval', every_seconds: 60 },
    turn: { agent_id: agent.id, input: 'Hi' },
  };
  await ask('POST', '/v1/schedules', schedule);
  await ask('PUT', '/v1/budgets/day', { limit_micros: 5_000_000 });
  await untilTrue('the batch has ended', async () => {
    return ((await ask('GET', `/v1/batches/${id}`)) as Batch).status === 'completed';
  });
  await untilTrue('the webhooks have come', () => receiver.at('/events').length >= 2);
  await ask('DELETE', `/v1/sessions/${turn.session_id}`);
  expect(cluster.logs()).not.toContain('permission denied');
});

test.each([
  ['turnpike_api', 'CREATE TABLE mine (id int)'],
  ['turnpike_worker', 'CREATE TABLE mine (id int)'],
  ['turnpike_api', 'DROP TABLE turns'],
  ['turnpike_worker', 'ALTER FUNCTION turnpike_dispatch_by_pool(text[], text[], boolean) RENAME TO mine'],
  ['turnpike_worker', 'ALTER TABLE turns DISABLE TRIGGER turns_status_edge'],
  ['turnpike_worker', 'SELECT hash FROM api_keys'],
  ['turnpike_api', `UPDATE audit_entries SET action = 'mine'`],
  ['turnpike_worker', 'TRUNCATE audit_entries'],
  ['turnpike_api', 'DELETE FROM _prisma_migrations'],
  ['turnpike_migrate', 'SELECT rolpassword FROM pg_authid'],
  ['turnpike_migrate', 'CREATE ROLE another'],
])('%s may not: %s', async (role, sql) => {
  await expect(as(urlOf(role), sql)).rejects.toMatchObject({ code: '42501' });
});

test('the doctor has nothing to say of the roles of the programs', async () => {
  const findings = async (role: string): Promise<Record<string, string>> => {
    const environment = { PATH: process.env['PATH'] ?? '', DATABASE_URL: urlOf(role) };
    const { output } = await new CommandLine(['doctor', '--json'], { folder, environment }).untilEnded();
    const { findings: all } = JSON.parse(output) as { findings: { check: string; status: string }[] };
    return Object.fromEntries(all.map(({ check, status }) => [check, status]));
  };
  expect(await findings('turnpike_api')).toMatchObject({ role_privileges: 'ok', role_excess: 'ok' });
  expect(await findings('turnpike_worker')).toMatchObject({ role_privileges: 'ok', role_excess: 'ok' });
  expect(await findings('turnpike_migrate')).toMatchObject({ role_privileges: 'ok', role_excess: 'warning' });
});
