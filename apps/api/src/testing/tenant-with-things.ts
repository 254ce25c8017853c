import type { Agent, Turn } from '@turnpike/contract';
import type { TestApi } from './test-api.ts';
import { playWorker } from './play-worker.ts';
import type { ApiDocument, Operation, Parameter, Schema } from './read-operations.ts';
import { idPrefixOf } from './sample-schema.ts';
import { TenantThings } from './tenant-things.ts';

/** A tenant with a completed turn that called a tool, and with everything that a path can name. */
export async function tenantWithThings(api: TestApi, document: ApiDocument): Promise<TenantThings> {
  const client = await api.addTenant();
  const things = new TenantThings(client, document);
  for (const { id, method, path } of document.operations) {
    const noun = /^create([A-Z]\w+)$/.exec(id)?.[1];
    if (method !== 'post' || noun === undefined || path.includes('{')) continue;
    const response = document.operations.find((operation) => operation.id === id)?.response ?? {};
    const properties = document.resolve(response)['properties'] as Record<string, Schema> | undefined;
    const prefix = idPrefixOf(document.resolve(properties?.['id'] ?? {}));
    if (prefix !== null) await things.need(prefix);
  }
  const agent: Agent = (await client.http.get(`/v1/agents/${await things.need('agent')}`).expect(200)).body;
  const body = { agent_id: agent.id, input: 'A secret.' };
  const turn: Turn = (await client.http.post('/v1/turns').send(body).expect(202)).body;
  await playWorker(api, turn.id, 1);
  const { rows } = await api.database.pool.query<{ id: string }>(
    'SELECT id FROM tool_calls WHERE turn_id = $1',
    [turn.id],
  );
  things.known.set('turn', turn.id).set('sess', turn.session_id);
  things.known.set('call', rows[0]?.id ?? '').set('key', client.keyId);
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
