import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { StreamResponse, TaskState, type Task } from '@a2a-js/sdk';
import type { Client } from '@a2a-js/sdk/client';
import { isFinal, newId, type Agent, type Delivery } from '@turnpike/contract';
import { createApiKey, createTenant } from '@turnpike/store';
import { startTcpProxy, type TcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { answerWith, Receiver } from '../webhooks/support/receiver.ts';
import { FAST, killHolder, portOf, startSecondApi } from '../streams/support/mishaps.ts';
import { BINDINGS, connect, sending, ShownTask, textOfParts, textsOf } from './support/a2a-client.ts';

const WHERE_AM_I = {
  type: 'client',
  name: 'where_am_i',
  description: 'Tells where the user is.',
  input_schema: { type: 'object', properties: {}, additionalProperties: false },
};
const APPROVED_CLOCK = { type: 'builtin', name: 'current_time', requires_approval: true };

/** Hurried, and allowed to reach the receiver. */
const WEBHOOKS = {
  EGRESS_ALLOW: '127.0.0.1',
  WEBHOOK_TIMEOUT_MS: '2000',
  WEBHOOK_RETRY_SCHEDULE: '200ms,300ms,400ms',
};

let cluster: Cluster;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await Receiver.start();
  cluster = await Cluster.start({ workers: 2, environment: { ...FAST, ...WEBHOOKS, DIALECTS: 'a2a' } });
}, 600_000);
beforeEach(() => cluster.control.reset());
afterAll(async () => {
  await cluster.stop();
  await receiver.stop();
});

const isTask = (result: object): result is Task => 'status' in result;

async function send(client: Client, ...request: Parameters<typeof sending>): Promise<Task> {
  const result = await client.sendMessage(sending(...request));
  if (!isTask(result)) throw new Error('A message was returned instead of a task.');
  return result;
}

async function all(stream: AsyncGenerator<StreamResponse>): Promise<ShownTask> {
  const shown = new ShownTask();
  for await (const each of stream) shown.take(each);
  return shown;
}

const reply = (text: string): Promise<unknown> => cluster.control.setScript({ rules: [{ reply: { text } }] });

describe.each(BINDINGS)('with the official SDK over %s', (binding) => {
  const clientOf = (agent: Agent): Promise<Client> => connect(cluster, agent.id, binding);

  test('the public card says nothing of the agent; the card for a key does, and a message gets its task', async () => {
    await reply('It is noon.');
    const agent = await cluster.createAgent({ name: 'Clock', metadata: { description: 'Tells the time.' } });
    const card = await fetch(`${cluster.url}/a2a/${agent.id}/.well-known/agent-card.json`);
    expect(card.status).toBe(200);
    expect(await card.text()).not.toContain('Clock');
    const client = await clientOf(agent);
    expect(await client.getAgentCard()).toMatchObject({ name: 'Clock', description: 'Tells the time.' });

    const request = sending('What time is it?', { metadata: { customer: 'c-42' } });
    const first = await client.sendMessage(request);
    const again = await client.sendMessage(request);
    if (!isTask(first) || !isTask(again)) throw new Error('No task.');
    expect(again.id).toBe(first.id);
    expect(first.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(textsOf(first)).toEqual({ 'text-0': 'It is noon.' });
    expect(first.metadata).toEqual({ customer: 'c-42' });
    expect(first.history.map(({ parts }) => textOfParts(parts))).toEqual(['What time is it?']);
    const read = await client.getTask({ tenant: '', id: first.id, historyLength: 0 });
    expect(read).toMatchObject({ ...first, history: [] });

    const next = await send(client, 'And now?', { contextId: first.contextId, referenceTaskIds: [first.id] });
    expect(next.contextId).toBe(first.contextId);
    expect(await cluster.conversation(first.contextId)).toHaveLength(4);
    const list = await client.listTasks({
      tenant: '',
      contextId: first.contextId,
      status: TaskState.TASK_STATE_COMPLETED,
      pageToken: '',
      pageSize: 1,
      statusTimestampAfter: undefined,
      includeArtifacts: true,
    });
    expect(list).toMatchObject({ tasks: [{ id: next.id }], pageSize: 1, totalSize: 2 });
    const rest = await client.listTasks({
      tenant: '',
      contextId: first.contextId,
      status: TaskState.TASK_STATE_UNSPECIFIED,
      pageToken: list.nextPageToken,
      statusTimestampAfter: undefined,
    });
    expect(rest).toMatchObject({ tasks: [{ id: first.id, artifacts: [] }], nextPageToken: '' });
  });

  test('a message id that was used with another message is refused, and no turn comes of it', async () => {
    await reply('Noon.');
    const agent = await cluster.createAgent();
    const client = await clientOf(agent);
    const messageId = randomUUID();
    const task = await send(client, 'One', { messageId });
    await expect(send(client, 'Other', { messageId })).rejects.toThrow(/key/i);
    const streamed = await all(client.sendMessageStream(sending('One', { messageId })));
    expect(streamed.texts).toEqual(textsOf(task));
    const { body } = await cluster.request('GET', `/v1/turns?agent_id=${agent.id}`);
    expect((body as { items: unknown[] }).items).toHaveLength(1);
  });

  test('a stream shows the text while it is written, and the task from its start to its end', async () => {
    const text = Array.from({ length: 60 }, (_, index) => `word${index} wört😀`).join(' ');
    await cluster.control.setScript({
      defaults: { tokens_per_second: 200, chunk: 3 },
      rules: [
        { match: { step: 0 }, reply: { text: 'I look.', tool_uses: [{ name: 'current_time' }] } },
        { reply: { text } },
      ],
    });
    const agent = await cluster.createAgent({ tools: [{ type: 'builtin', name: 'current_time' }] });
    const shown = await all((await clientOf(agent)).sendMessageStream(sending('What time is it?')));
    expect(shown.mistakes).toEqual([]);
    expect(shown.texts).toEqual({ 'text-0': 'I look.', 'text-2': text });
    expect(shown.chunks).toBeGreaterThan(5);
    expect(shown.states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
  });

  test('a task that needs input is continued by a message to it: a text, or outputs and approvals by their calls', async () => {
    await cluster.control.setScript({
      rules: [
        {
          match: { text: 'both', step: 0 },
          reply: { tool_uses: [{ name: 'where_am_i' }, { name: 'current_time' }] },
        },
        { match: { step: 0 }, reply: { tool_uses: [{ name: 'where_am_i' }] } },
        { reply: { text: 'Told: {{tool_result}}' } },
      ],
    });
    const agent = await cluster.createAgent({ tools: [WHERE_AM_I, APPROVED_CLOCK] });
    const client = await clientOf(agent);
    const one = await send(client, 'only one');
    expect(one.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    expect(textOfParts(one.status?.message?.parts ?? [])).toBe('The output of where_am_i is needed.');
    const answer = sending('In Lisbon.', { taskId: one.id });
    const told = await client.sendMessage(answer);
    expect(told).toMatchObject({ id: one.id, status: { state: TaskState.TASK_STATE_COMPLETED } });
    expect(JSON.stringify(told)).toContain('Told: In Lisbon.');
    // The client did not hear of it, and sends it again.
    expect(await client.sendMessage(answer)).toMatchObject({ id: one.id });
    await expect(send(client, 'More.', { taskId: one.id })).rejects.toMatchObject({
      name: 'UnsupportedOperationError',
    });

    const both = await send(client, 'both of them');
    await expect(send(client, 'In Lisbon.', { taskId: both.id })).rejects.toMatchObject({
      name: 'RequestMalformedError',
    });
    const turn = await cluster.read(both.id);
    const outputs = turn.required_action?.tool_calls.map(({ id, awaiting }) =>
      awaiting === 'approval' ? { tool_call_id: id, approved: true } : { tool_call_id: id, output: 'Here.' },
    );
    const ended = await all(
      client.sendMessageStream(sending([{ data: { tool_outputs: outputs } }], { taskId: both.id })),
    );
    expect(ended.states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(Object.values(ended.texts).join()).toContain('Here.');
  });

  test('a task is cancelled while the model writes, its stream ends so, and it is not cancelled twice', async () => {
    await cluster.control.setScript({
      rules: [{ reply: { text: 'One two three four' }, fault: { type: 'hang', after_events: 4 } }],
    });
    const agent = await cluster.createAgent();
    const client = await clientOf(agent);
    const task = await send(client, 'Count', {}, { returnImmediately: true });
    const followed = all(client.resubscribeTask({ tenant: '', id: task.id }));
    await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
    const ask = { tenant: '', id: task.id, metadata: undefined };
    await client.cancelTask(ask);
    const shown = await followed;
    expect(shown.states.at(-1)).toBe(TaskState.TASK_STATE_CANCELED);
    expect(await client.getTask({ tenant: '', id: task.id })).toMatchObject({
      status: { state: TaskState.TASK_STATE_CANCELED },
    });
    await expect(client.cancelTask(ask)).rejects.toMatchObject({ name: 'TaskNotCancelableError' });
    await expect(all(client.resubscribeTask({ tenant: '', id: task.id }))).rejects.toMatchObject({
      name: 'UnsupportedOperationError',
    });
  });

  test('what cannot be done is refused with the error of the protocol', async () => {
    await reply('Noon.');
    const agent = await cluster.createAgent();
    const client = await clientOf(agent);
    const named = (name: string) => expect.objectContaining({ name });
    const nowhere = 'turn_01kapjt9e8f7ga5vxq3c2m4n6r';
    await expect(client.getTask({ tenant: '', id: nowhere })).rejects.toEqual(named('TaskNotFoundError'));
    await expect(client.getTask({ tenant: '', id: 'no id' })).rejects.toEqual(named('TaskNotFoundError'));
    await expect(send(client, 'Hi', { taskId: nowhere })).rejects.toEqual(named('TaskNotFoundError'));
    await expect(send(client, 'Hi', { contextId: 'mine' })).rejects.toEqual(named('RequestMalformedError'));
    await expect(send(client, 'Hi', { extensions: ['https://a.example/x'] })).rejects.toEqual(
      named('UnsupportedOperationError'),
    );
    await expect(send(client, [{ raw: 'AAAA', mediaType: 'video/mp4' }])).rejects.toEqual(
      named('ContentTypeNotSupportedError'),
    );
    await expect(send(client, 'Hi', {}, { acceptedOutputModes: ['image/png'] })).rejects.toEqual(
      named('ContentTypeNotSupportedError'),
    );
    const old = { serviceParameters: { 'A2A-Version': '0.9' } };
    await client.getTask({ tenant: '', id: nowhere }, old).catch(() => undefined);
    const path = binding === 'JSONRPC' ? '' : '/tasks';
    const response = await fetch(`${cluster.url}/a2a/${agent.id}${path}`, {
      method: binding === 'JSONRPC' ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' },
      ...(binding === 'JSONRPC' ? { body: '{"jsonrpc":"2.0","id":1,"method":"ListTasks"}' } : {}),
    });
    expect(await response.text()).toContain('VERSION_NOT_SUPPORTED');
    const { body } = await cluster.request('GET', `/v1/turns?agent_id=${agent.id}`);
    expect((body as { items: unknown[] }).items).toEqual([]);
  });

  test('an agent that is not there is an error in the form of the binding', async () => {
    const isRpc = binding === 'JSONRPC';
    const response = await fetch(`${cluster.url}/a2a/${newId('agent')}${isRpc ? '' : '/tasks'}`, {
      method: isRpc ? 'POST' : 'GET',
      headers: {
        authorization: `Bearer ${cluster.apiKey}`,
        'content-type': 'application/json',
        'a2a-version': '1.0',
      },
      ...(isRpc ? { body: '{"jsonrpc":"2.0","id":7,"method":"ListTasks"}' } : {}),
    });
    expect(response.status).toBe(404);
    const message = 'There is no such agent.';
    expect(await response.json()).toMatchObject(
      isRpc
        ? { jsonrpc: '2.0', id: 7, error: { code: -32_000, message } }
        : { error: { code: 404, status: 'NOT_FOUND', message } },
    );
  });

  test('a push configuration gets what the task comes to, with its credentials, again until it is taken, and nothing once it is removed', async () => {
    await cluster.control.setScript({
      rules: [
        { match: { step: 0 }, reply: { tool_uses: [{ name: 'where_am_i' }] } },
        { reply: { text: 'Told.' } },
      ],
    });
    const path = `/${randomUUID()}`;
    receiver.behaviours.set(path, answerWith(500));
    const agent = await cluster.createAgent({ tools: [WHERE_AM_I] });
    const client = await clientOf(agent);
    const config = {
      tenant: '',
      id: 'mine',
      taskId: '',
      url: `${receiver.url}${path}`,
      token: 'token-1',
      authentication: { scheme: 'Bearer', credentials: 'canary-credentials' },
    };
    const task = await send(client, 'Where?', {}, { taskPushNotificationConfig: config });
    const stored = { id: 'mine', taskId: task.id, url: config.url, token: '' };
    const ask = { tenant: '', taskId: task.id, id: 'mine' };
    expect(await client.getTaskPushNotificationConfig(ask)).toMatchObject({
      ...stored,
      authentication: { scheme: 'Bearer', credentials: '' },
    });
    const other = { ...config, id: '', taskId: task.id, url: `${receiver.url}${path}-other` };
    const { id: made } = await client.createTaskPushNotificationConfig(other);
    const ofTask = { tenant: '', taskId: task.id, pageSize: 0, pageToken: '' };
    const { configs } = await client.listTaskPushNotificationConfig(ofTask);
    expect(configs.map(({ id }) => id)).toEqual(['mine', made]);
    const statesAt = (where: string): unknown[] =>
      receiver
        .at(where)
        .map(({ text }) => StreamResponse.fromJSON(JSON.parse(text)).payload)
        .map((payload) => (payload?.$case === 'statusUpdate' ? payload.value.status?.state : null));
    const { TASK_STATE_INPUT_REQUIRED: asks, TASK_STATE_COMPLETED: ends } = TaskState;
    await untilTrue('it was sent again', () => statesAt(path).filter((state) => state === asks).length > 1);
    expect(receiver.at(path)[0]?.headers).toMatchObject({
      'content-type': 'application/a2a+json',
      authorization: 'Bearer canary-credentials',
      'x-a2a-notification-token': 'token-1',
    });
    // The one that came late was told how the task is.
    await untilTrue('the other one has it', () => statesAt(`${path}-other`).includes(asks));

    await client.deleteTaskPushNotificationConfig({ ...ask, id: made });
    await expect(client.deleteTaskPushNotificationConfig({ ...ask, id: made })).rejects.toMatchObject({
      name: 'TaskNotFoundError',
    });
    receiver.behaviours.delete(path);
    await client.sendMessage(sending('In Lisbon.', { taskId: task.id }));
    await untilTrue('the end has come', () => statesAt(path).includes(ends));
    expect(statesAt(`${path}-other`)).not.toContain(ends);
    await expect(client.getTaskPushNotificationConfig({ ...ask, id: made })).rejects.toMatchObject({
      name: 'TaskNotFoundError',
    });
    const { rows } = await cluster.database.pool.query(
      'SELECT push_configs::text AS row FROM push_configs WHERE turn_id = $1',
      [task.id],
    );
    expect(JSON.stringify(rows)).not.toContain('canary');
  });

  test('what a push configuration is sent with goes to its own URL: one that is replaced ends what waits for the old one', async () => {
    await cluster.control.setScript({
      rules: [
        { match: { step: 0 }, reply: { tool_uses: [{ name: 'where_am_i' }] } },
        { reply: { text: 'Told.' } },
      ],
    });
    const [before, after] = [`/${randomUUID()}`, `/${randomUUID()}`];
    // It never answers: its worker holds the delivery, and would send it again.
    receiver.behaviours.set(before, () => undefined);
    const agent = await cluster.createAgent({ tools: [WHERE_AM_I] });
    const client = await clientOf(agent);
    const task = await send(client, 'Where?');
    const config = (path: string, credentials: string) => ({
      tenant: '',
      id: 'mine',
      taskId: task.id,
      url: `${receiver.url}${path}`,
      token: '',
      authentication: { scheme: 'Bearer', credentials },
    });
    await client.createTaskPushNotificationConfig(config(before, 'canary-before'));
    await untilTrue('the first one was sent', () => receiver.at(before).length > 0);
    await client.createTaskPushNotificationConfig(config(after, 'canary-after'));
    await untilTrue('the second one was sent', () => receiver.at(after).length > 0);
    const { body } = await cluster.request('GET', `/v1/deliveries?turn_id=${task.id}`);
    const old = (body as { items: Delivery[] }).items.filter(({ url }) => url.endsWith(before));
    expect(old.map(({ status }) => status)).toEqual(['dead']);
    const again = await cluster.request('POST', `/v1/deliveries/${old[0]?.id}/redeliver`, {});
    expect(again.status).toBe(409);

    await client.sendMessage(sending('In Lisbon.', { taskId: task.id }));
    await untilTrue('the end has come', () =>
      receiver.at(after).some(({ text }) => text.includes('COMPLETED')),
    );
    const credentialsAt = (path: string) =>
      new Set(receiver.at(path).map(({ headers }) => headers.authorization));
    expect(credentialsAt(before)).toEqual(new Set(['Bearer canary-before']));
    expect(credentialsAt(after)).toEqual(new Set(['Bearer canary-after']));

    // Nor can it be sent once more after it is removed.
    await client.deleteTaskPushNotificationConfig({ tenant: '', taskId: task.id, id: 'mine' });
    const { body: every } = await cluster.request('GET', `/v1/deliveries?turn_id=${task.id}`);
    for (const { id } of (every as { items: Delivery[] }).items)
      expect((await cluster.request('POST', `/v1/deliveries/${id}/redeliver`, {})).status).toBe(409);
  });

  test("a key without the scope sends nothing, and another tenant's agent, task and context are not there", async () => {
    await reply('Noon.');
    const agent = await cluster.createAgent();
    const task = await send(await clientOf(agent), 'Hello');
    const { pool } = cluster.database;
    const keyOf = async (tenantId: string, scopes: Parameters<typeof createApiKey>[1]['scopes']) => ({
      url: cluster.url,
      apiKey: (await createApiKey(pool, { tenantId, name: 'k', scopes })).key,
    });
    const reader = await connect(await keyOf(cluster.tenantId, ['turns:read']), agent.id, binding);
    await expect(send(reader, 'Hi')).rejects.toThrow(/scope/);
    expect(await reader.getTask({ tenant: '', id: task.id })).toMatchObject({ id: task.id });

    const theirs = await keyOf(await createTenant(cluster.database, 'Other'), ['admin']);
    const atOurAgent = await connect(theirs, agent.id, binding);
    await expect(send(atOurAgent, 'Hi')).rejects.toThrow(/agent/);
    const made = await fetch(`${cluster.url}/v1/agents`, {
      method: 'POST',
      headers: { authorization: `Bearer ${theirs.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'a', model: 'claude-sonnet-4-5' }),
    });
    const { id: theirAgent } = (await made.json()) as { id: string };
    const atTheirs = await connect(theirs, theirAgent, binding);
    const noTask = { name: 'TaskNotFoundError' };
    await expect(atTheirs.getTask({ tenant: '', id: task.id })).rejects.toMatchObject(noTask);
    await expect(send(atTheirs, 'Hi', { taskId: task.id })).rejects.toMatchObject(noTask);
    await expect(send(atTheirs, 'Hi', { contextId: task.contextId })).rejects.toMatchObject({
      name: 'RequestMalformedError',
    });
    await expect(atTheirs.cancelTask({ tenant: '', id: task.id, metadata: undefined })).rejects.toMatchObject(
      noTask,
    );
    const config = { tenant: '', taskId: task.id, id: 'theirs' };
    const hears = { ...config, url: `${receiver.url}/theirs`, token: '', authentication: undefined };
    await expect(atTheirs.createTaskPushNotificationConfig(hears)).rejects.toMatchObject(noTask);
    await expect(atTheirs.getTaskPushNotificationConfig(config)).rejects.toMatchObject(noTask);
    await expect(atTheirs.deleteTaskPushNotificationConfig(config)).rejects.toMatchObject(noTask);
    await expect(
      atTheirs.listTaskPushNotificationConfig({ ...config, pageSize: 0, pageToken: '' }),
    ).rejects.toMatchObject(noTask);
    // Nor are they at another agent of the same tenant.
    const beside = await connect(cluster, (await cluster.createAgent()).id, binding);
    await expect(beside.getTask({ tenant: '', id: task.id })).rejects.toMatchObject(noTask);
  });
});

const CUTS = byLength({ short: 5, long: 20 });
const WORKER_KILLED = byLength({ short: 1, long: 6 });
const API_KILLED = byLength({ short: 3, long: 12 });

test.each(BINDINGS)(
  `a stream over %s that is cut ${CUTS} times, while an API and a worker are killed, ends with the same text and shows nothing twice`,
  async (binding) => {
    const text = Array.from({ length: 300 }, (_, index) => `word${index} wört😀`).join(' ');
    await cluster.control.setScript({
      defaults: { tokens_per_second: 120, chunk: 3 },
      rules: [
        { match: { step: 0 }, reply: { text: 'I look.', tool_uses: [{ name: 'current_time' }] } },
        // It does not end before it was cut often enough, however slow the machine is.
        { reply: { text }, fault: { type: 'hang', after_events: 150 } },
      ],
    });
    const agent = await cluster.createAgent({ tools: [{ type: 'builtin', name: 'current_time' }] });
    let api = await startSecondApi(cluster);
    const proxy: TcpProxy = await startTcpProxy(portOf(api));
    const client = await connect(
      { url: `http://127.0.0.1:${proxy.port}`, apiKey: cluster.apiKey },
      agent.id,
      binding,
    );
    const shown = new ShownTask();
    let taskId = '';
    let streams = 0;
    let isOver = false;
    const follow = async (): Promise<void> => {
      const request = sending('What time is it?');
      while (!isOver) {
        try {
          const stream =
            taskId === ''
              ? client.sendMessageStream(request)
              : client.resubscribeTask({ tenant: '', id: taskId });
          shown.reconnect();
          for await (const each of stream) {
            if (each.payload?.$case === 'task') {
              taskId = each.payload.value.id;
              streams += 1;
            }
            shown.take(each);
          }
          isOver = taskId !== '' && isFinal((await cluster.read(taskId)).status);
        } catch (error) {
          // The connection was cut, or nobody listens now; a task that ended meanwhile is read.
          if (taskId === '' || !(error instanceof Error) || error.name !== 'UnsupportedOperationError')
            continue;
          shown.texts = textsOf(await client.getTask({ tenant: '', id: taskId }));
          isOver = true;
        }
      }
    };
    const following = follow();
    for (let cut = 0; cut < CUTS; cut++) {
      await untilTrue('it follows', () => streams > cut);
      const { chunks } = shown;
      if (cut === WORKER_KILLED) {
        await killHolder(cluster, taskId);
        await cluster.startWorker();
      }
      await untilTrue(
        'there was more, or there is none for now',
        async () =>
          shown.chunks > chunks || JSON.stringify(await cluster.control.calls({ outcome: 'hung' })) !== '[]',
      );
      if (cut === API_KILLED) {
        await api.end('SIGKILL');
        api = await startSecondApi(cluster);
        proxy.retarget(portOf(api));
      } else proxy.drop();
    }
    await untilTrue(
      'the task has ended',
      async () => {
        await cluster.control.release();
        return isFinal((await cluster.read(taskId)).status);
      },
      120_000,
    );
    await following;
    expect(shown.mistakes).toEqual([]);
    expect(shown.texts).toEqual({ 'text-0': 'I look.', 'text-2': text });
    expect(textsOf(await client.getTask({ tenant: '', id: taskId }))).toEqual(shown.texts);
    const { body } = await cluster.request('GET', `/v1/turns?agent_id=${agent.id}`);
    expect((body as { items: unknown[] }).items).toHaveLength(1);
    await api.end('SIGKILL');
    await proxy.stop();
  },
  180_000,
);
