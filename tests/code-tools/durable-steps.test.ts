import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { startCodeCluster, type CodeCluster } from './support/code-cluster.ts';

let code: CodeCluster;
beforeAll(async () => {
  code = await startCodeCluster(1, { LEASE_MS: '3000' });
});
afterAll(() => code.stop());

/** Kills the worker in the middle of `/hold`, and starts another. */
async function killInHold(): Promise<void> {
  await untilTrue('the tool is in its step', () => code.server.held.length > 0);
  await code.cluster.workers.at(-1)?.end('SIGKILL');
  code.server.held.splice(0);
  await code.cluster.startWorker();
}

test('the steps of a call are shown with it, in events and in its steps, without their results', async () => {
  const turn = await code.run('three_steps');
  expect(JSON.parse(turn.output_text ?? '')).toEqual([
    { path: '/one', number: 1 },
    { path: '/two', number: 1 },
    { path: '/three', number: 1 },
  ]);
  expect((await code.callOf(turn.id)).steps).toMatchObject([
    { name: 'one', effect: 'once', status: 'completed', completed_at: expect.any(String) },
    { name: 'two', effect: 'once', status: 'completed' },
    { name: 'three', effect: 'read', status: 'completed' },
  ]);
  const { body } = await code.cluster.request('GET', `/v1/turns/${turn.id}/events`, undefined, {
    accept: 'application/json',
  });
  const { items } = body as { items: { type: string; tool_step?: unknown }[] };
  const told = items.filter(({ type }) => type.startsWith('tool.step'));
  expect(told).toMatchObject([
    {
      type: 'tool.step_started',
      tool_step: { name: 'one', effect: 'once' },
      tool_call: { name: 'three_steps' },
    },
    { type: 'tool.step_completed', tool_step: { name: 'one', status: 'completed' } },
    { type: 'tool.step_started', tool_step: { name: 'two' } },
    { type: 'tool.step_completed', tool_step: { name: 'two' } },
    { type: 'tool.step_completed', tool_step: { name: 'three', effect: 'read' } },
  ]);
});

test('a killed worker costs no step twice: the next one gets the results of those that were done', async () => {
  const { id } = await code.call('hold_between');
  await killInHold();
  await untilTrue('the tool is in its step again', () => code.server.held.length > 0);
  code.server.held.splice(0).forEach((answer) => answer());
  const turn = await code.cluster.untilEnded(id);
  expect(JSON.parse(turn.output_text ?? '')).toMatchObject({ first: 1, attempt: 2 });
  expect(code.server.count('/before')).toBe(1);
});

test('a step that acts once and was started without an outcome is not done again: a person decides', async () => {
  const before = code.server.count('/hold');
  const { id } = await code.call('asks_when_unknown');
  await killInHold();
  const waiting = await code.cluster.until(id, ['requires_action']);
  expect(waiting.required_action?.tool_calls).toMatchObject([{ awaiting: 'outcome' }]);
  expect(code.server.count('/hold')).toBe(before + 1);
  expect((await code.callOf(id)).steps).toMatchObject([{ name: 'one', status: 'started' }]);

  expect(await code.answer(waiting, { send_again: true })).toBe(202);
  await untilTrue('the step is done again', () => code.server.held.length > 0);
  code.server.held.splice(0).forEach((answer) => answer());
  expect((await code.cluster.untilEnded(id)).status).toBe('completed');
  expect(code.server.count('/hold')).toBe(before + 2);
});

test('a drain waits for a step that acts once, and the next worker goes on after it', async () => {
  const { id } = await code.call('asks_when_unknown');
  await untilTrue('the tool is in its step', () => code.server.held.length > 0);
  const before = code.server.count('/hold');
  const drained = code.cluster.workers.at(-1)?.end('SIGTERM');
  await code.cluster.startWorker();
  await untilTrue('the worker drains', () =>
    code.cluster.workers.some(({ lines }) => lines.some((line) => line.includes('Draining.'))),
  );
  code.server.held.splice(0).forEach((answer) => answer());
  expect(await drained).toBe(0);
  expect((await code.cluster.untilEnded(id)).status).toBe('completed');
  expect(code.server.count('/hold')).toBe(before);
});
