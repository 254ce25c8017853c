import { newId, type Agent, type Turn } from '@turnpike/contract';
import type { TestApi } from './test-api.ts';
import { playWorker } from './play-worker.ts';
import type { ApiDocument, Operation, Parameter, Schema } from './read-operations.ts';
import { idPrefixOf } from './sample-schema.ts';
import { TenantThings } from './tenant-things.ts';

/** A tenant with a completed turn that called a tool, and with everything that a path can name. */
export async function tenantWithThings(api: TestApi, document: ApiDocument): Promise<TenantThings> {
  const client = await api.addTenant();
  const things = new TenantThings(client, document, { ten: client.tenantId });
  // A line says its agent or the batch's defaults do, so the smallest body has neither.
  const lines = { items: [{ custom_id: 'first', agent_id: await things.need('agent'), input: 'A secret.' }] };
  things.known.set('batch', (await client.http.post('/v1/batches').send(lines).expect(202)).body.id);
  for (const { id, method, path } of document.operations) {
    const noun = /^create([A-Z]\w+)$/.exec(id)?.[1];
    if (method !== 'post' || noun === undefined || path.includes('{')) continue;
    const response = document.operations.find((operation) => operation.id === id)?.response ?? {};
    const properties = document.resolve(response)['properties'] as Record<string, Schema> | undefined;
    const prefix = idPrefixOf(document.resolve(properties?.['id'] ?? {}));
    if (prefix !== null) await things.need(prefix);
  }
  const agent: Agent = (await client.http.get(`/v1/agents/${await things.need('agent')}`).expect(200)).body;
  // Agents by what a dialect calls them, which no operation there puts.
  things.known.set('/openai/v1/models/{model} model', agent.id);
  const body = { agent_id: agent.id, input: 'A secret.' };
  const turn: Turn = (await client.http.post('/v1/turns').send(body).expect(202)).body;
  await playWorker(api, turn.id, 1);
  const { rows } = await api.database.pool.query<{ id: string }>(
    'SELECT id FROM tool_calls WHERE turn_id = $1',
    [turn.id],
  );
  things.known.set('turn', turn.id).set('sess', turn.session_id);
  for (const { path } of document.operations) {
    // The id of a session names a chat as well.
    if (path.includes('{chat_id}')) things.known.set(`${path} chat_id`, turn.session_id);
    if (path.includes('{pool}')) things.known.set(`${path} pool`, client.tenantId.slice(-20));
  }
  const configs = `/a2a/${agent.id}/tasks/${turn.id}/pushNotificationConfigs`;
  const config = { url: 'https://example.com/hook' };
  const { id: configId } = (await client.http.post(configs).send(config).expect(200)).body;
  const configPath = '/a2a/{agent_id}/tasks/{turn_id}/pushNotificationConfigs/{config_id}';
  things.known.set(`${configPath} config_id`, configId);
  const callId = rows[0]?.id ?? '';
  // A dialect names the event of a call.
  things.known.set('call', callId).set('sevt', callId.replace('call_', 'sevt_')).set('key', client.keyId);
  const run = newId('scheduleRun');
  await api.database.pool.query(
    `INSERT INTO schedule_runs (id, tenant_id, schedule_id, tick_at, due_at, status, turn_id)
     VALUES ($1, $2, $3, now(), now(), 'started', $4)`,
    [run, client.tenantId, await things.need('sched'), turn.id],
  );
  things.known.set('run', run);
  return things;
}

/** The path parameters of operations. */
export function addressParameters(document: ApiDocument): { operation: Operation; parameter: Parameter }[] {
  return document.operations.flatMap((operation) =>
    operation.parameters
      .filter((parameter) => parameter.in !== 'header')
      .map((parameter) => ({ operation, parameter })),
  );
}

/** Creates one of everything that a path can name. */
export async function needEverything(things: TenantThings, document: ApiDocument): Promise<void> {
  for (const { parameter, operation } of addressParameters(document)) {
    const prefix = idPrefixOf(document.resolve(parameter.schema));
    if (prefix !== null) await things.need(prefix);
    else if (parameter.in === 'path') await things.valueFor(operation, parameter);
  }
}
