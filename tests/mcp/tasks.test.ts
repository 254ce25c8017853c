import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { answer, callsOf, callTools, eventsOf, outputOf, registerServer } from './support/mcp-cluster.ts';
import { FixtureServer } from './support/mcp-server.ts';

/* Calls of which a server makes tasks: the extension of protocol 2026-07-28. */

let cluster: Cluster;
let fixture: FixtureServer;
let agentId: string;

beforeAll(async () => {
  cluster = await Cluster.join();
  fixture = await FixtureServer.start();
  await registerServer(cluster, 'works', fixture.url);
  agentId = (await cluster.createAgent({ tools: [{ type: 'mcp', server: 'works' }] })).id;
});
beforeEach(() => {
  fixture.acts.splice(0);
  fixture.tasks.all.clear();
  fixture.tasks.asked.splice(0);
  fixture.tasks.pollMs = 100;
});
afterAll(async () => {
  await fixture.stop();
  await cluster.stop();
});

/** Starts a call of a tool whose task is at work, and was asked for. */
async function begin(tool: string): Promise<string> {
  const turn = await callTools(cluster, agentId, [{ name: `works__${tool}` }]);
  await untilTrue('the task is asked for', () => fixture.tasks.asked.length > 0);
  return turn.id;
}

test('a task is asked for until it has a result, and the call acts once', async () => {
  const id = await begin('job');
  fixture.tasks.last.status = 'completed';
  expect((await cluster.untilEnded(id)).status).toBe('completed');
  expect(await outputOf(cluster, id)).toBe('job is done {}');
  const [call] = await callsOf(cluster, id);
  expect(fixture.acts).toEqual([{ tool: 'job', callId: call?.id }]);
});

test.each([
  ['failed', 'works: job failed: It broke.'],
  ['cancelled', 'works cancelled the call. At work.'],
] as const)('a task that is %s is told to the model', async (status, told) => {
  const id = await begin('job');
  fixture.tasks.last.status = status;
  await cluster.untilEnded(id);
  expect(await outputOf(cluster, id)).toBe(told);
});

test('a task that takes long holds no worker: its turn is queued until it is asked for again', async () => {
  fixture.tasks.pollMs = 2_100;
  const id = await begin('job');
  const queued = await cluster.until(id, ['queued']);
  expect(queued.status).toBe('queued');
  await untilTrue('it is told', async () =>
    (await eventsOf(cluster, id)).some(({ type }) => type === 'tool.deferred'),
  );
  fixture.tasks.last.status = 'completed';
  expect((await cluster.untilEnded(id)).status).toBe('completed');
  expect([await outputOf(cluster, id), fixture.countOf('job')]).toEqual(['job is done {}', 1]);
});

test.each([
  ['is sent the answer', false, 'job is done {"who":{"action":"accept","content":{"name":"Ada"}}}'],
  ['has failed where its server refuses that', true, 'failed: its server refused the answer: Not so.'],
] as const)('a task asks a person, and %s', async (_what, refuses, told) => {
  fixture.tasks.refusesAnswers = refuses;
  const id = await begin('job');
  const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
  const params = { mode: 'form', message: 'For whom?', requestedSchema };
  Object.assign(fixture.tasks.last, {
    status: 'input_required',
    inputRequests: { who: { method: 'elicitation/create', params } },
  });
  const waiting = await cluster.until(id, ['requires_action']);
  expect(waiting.required_action?.tool_calls[0]).toMatchObject({
    awaiting: 'answer',
    question: { text: 'For whom?' },
  });
  expect(await answer(cluster, waiting, { action: 'accept', content: { name: 'Ada' } })).toBe(202);
  expect((await cluster.untilEnded(id)).status).toBe('completed');
  expect(await outputOf(cluster, id)).toContain(told);
  expect(fixture.countOf('job')).toBe(1);
});

test('a task that its server lost has an unknown outcome where the call acts once, and has failed where it reads', async () => {
  const id = await begin('job');
  fixture.tasks.all.clear();
  expect((await cluster.untilEnded(id)).status).toBe('completed');
  expect((await callsOf(cluster, id))[0]?.status).toBe('unknown');
  expect(fixture.countOf('job')).toBe(1);
  fixture.tasks.asked.splice(0);
  const other = await begin('study');
  fixture.tasks.all.clear();
  await cluster.untilEnded(other);
  expect(await outputOf(cluster, other)).toContain('its server does not know the task any more');
});

test('a server that is away for a while is asked for its task again', async () => {
  const id = await begin('job');
  fixture.status = 503;
  await untilTrue('it is told', async () =>
    (await eventsOf(cluster, id)).some(({ type }) => type === 'tool.deferred'),
  );
  fixture.status = null;
  fixture.tasks.last.status = 'completed';
  expect((await cluster.untilEnded(id)).status).toBe('completed');
  expect([await outputOf(cluster, id), fixture.countOf('job')]).toEqual(['job is done {}', 1]);
});

test('a turn that is cancelled while its task is asked for cancels the task', async () => {
  const id = await begin('job');
  await cluster.cancel(id);
  expect((await cluster.untilEnded(id)).status).toBe('cancelled');
  await untilTrue('the server is told', () => fixture.tasks.last.status === 'cancelled');
});
