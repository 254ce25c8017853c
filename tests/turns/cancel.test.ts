import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';

const HANG = {
  rules: [{ match: { text: 'hang' }, times: 1, fault: { type: 'hang' as const, after_events: 2 } }],
};

let cluster: Cluster;
let agentId: string;
beforeAll(async () => {
  cluster = await Cluster.join();
});
beforeEach(async () => {
  await cluster.control.reset();
  await cluster.control.setScript(HANG);
  agentId = (await cluster.createAgent({ tools: [{ type: 'builtin', name: 'current_time' }] })).id;
});
afterAll(() => cluster.stop());

test('a cancel stops the model call that another process makes, is confirmed, and leaves the session usable', async () => {
  const { id, session_id: sessionId } = await cluster.submit({ agentId }, 'please hang');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const asked = await cluster.cancel(id);
  expect(asked.status).toBe('cancelling');

  expect(await cluster.untilEnded(id)).toMatchObject({ status: 'cancelled', attempts: 1, error: null });
  await cluster.control.calls({ waitFor: 1, outcome: 'aborted' });
  const next = await cluster.submit({ sessionId }, 'and now?');
  expect(await cluster.untilEnded(next.id)).toMatchObject({ status: 'completed' });
  expect(await cluster.control.stats()).toMatchObject({ calls: 2, rejected: 0 });
});

test('a turn that waits behind another one is cancelled at once, and the other one is left alone', async () => {
  const first = await cluster.submit({ agentId }, 'please hang');
  const second = await cluster.submit({ sessionId: first.session_id }, 'never to be asked');
  const third = await cluster.submit({ sessionId: first.session_id }, 'the third');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  expect(await cluster.cancel(second.id)).toMatchObject({ status: 'cancelled', attempts: 0 });
  expect((await cluster.read(first.id)).status).toBe('in_progress');

  await cluster.control.release();
  expect((await cluster.untilEnded(first.id)).status).toBe('completed');
  expect((await cluster.untilEnded(third.id)).status).toBe('completed');
  expect(await cluster.control.stats()).toMatchObject({ calls: 2, rejected: 0 });
});

test('a cancel that comes after the end, or a second time, changes nothing', async () => {
  const { id } = await cluster.submit({ agentId }, 'Hello');
  const ended = await cluster.untilEnded(id);
  expect(await cluster.cancel(id)).toEqual(ended);

  const other = await cluster.submit({ agentId }, 'please hang');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  await Promise.all([cluster.cancel(other.id), cluster.cancel(other.id), cluster.cancel(other.id)]);
  expect((await cluster.untilEnded(other.id)).status).toBe('cancelled');
  expect((await cluster.request('POST', '/v1/turns/turn_01kapjt9e8f7ga5vxq3c2m4n6r/cancel')).status).toBe(
    404,
  );
});

test.each([
  ['interrupt', 'keeps', 'old'],
  ['rollback', 'hides', 'new'],
])('%s cancels what is open and %s it', async (multitask_strategy, _, firstMarker) => {
  await cluster.control.setScript({
    rules: [
      { match: { turn: 'old', step: 0 }, reply: { tool_uses: [{ name: 'current_time' }] } },
      { match: { turn: 'old', step: 1 }, fault: { type: 'hang', after_events: 2 } },
    ],
  });
  const running = await cluster.submit({ agentId }, '[[old]] the first one');
  const sessionId = running.session_id;
  const waiting = await cluster.submit({ sessionId }, 'waits');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const next = await cluster.submit({ sessionId }, '[[new]] rather this', { multitask_strategy });
  expect(await cluster.untilEnded(next.id)).toMatchObject({ status: 'completed', sequence: 3 });
  expect((await cluster.read(running.id)).status).toBe('cancelled');
  expect((await cluster.read(waiting.id)).status).toBe('cancelled');
  // The simulator knows a conversation by the first marker in it.
  const calls = await cluster.control.calls({ waitFor: 3 });
  expect(calls.at(-1)).toMatchObject({ turn: 'new', session: firstMarker });
  expect(await cluster.control.stats()).toMatchObject({ calls: 3, rejected: 0 });
});

test('reject refuses a submission to a busy session, and says which turn is in the way', async () => {
  const running = await cluster.submit({ agentId }, 'please hang');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const path = `/v1/sessions/${running.session_id}/turns`;
  const body = { input: 'now or never', multitask_strategy: 'reject' };
  const refused = await cluster.request('POST', path, body);
  expect(refused.status).toBe(409);
  expect(refused.body).toMatchObject({ code: 'session_busy', blocking_turn_id: running.id });
  await cluster.cancel(running.id);
  await cluster.untilEnded(running.id);
  const taken = await cluster.request('POST', path, body);
  expect(taken.status).toBe(202);
  expect((await cluster.untilEnded((taken.body as Turn).id)).status).toBe('completed');
});

test('a message that joins a running turn is answered in that turn, before its end', async () => {
  await cluster.control.setScript({
    rules: [
      { match: { text: 'plan', step: 0 }, times: 1, fault: { type: 'hang', after_events: 2 } },
      { match: { text: 'plan', step: 0 }, reply: { text: 'Here is the plan.' } },
      { match: { text: 'shorter' }, reply: { text: 'A shorter plan.' } },
    ],
  });
  const running = await cluster.submit({ agentId }, 'Make a plan');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const steered = await cluster.submit({ sessionId: running.session_id }, 'shorter, please', {
    multitask_strategy: 'steer',
  });
  expect(steered.id).toBe(running.id);
  await cluster.control.release();

  const turn = await cluster.untilEnded(running.id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'A shorter plan.' });
  expect(await cluster.conversation(running.session_id)).toEqual([
    'user: Make a plan',
    expect.stringMatching(/^assistant: /),
    'user: shorter, please',
    'assistant: A shorter plan.',
  ]);
  // With nothing to join, it is a turn like any other.
  const alone = await cluster.submit({ sessionId: running.session_id }, 'and now?', {
    multitask_strategy: 'steer',
  });
  expect(alone).toMatchObject({ sequence: 2, status: 'queued' });
  expect((await cluster.untilEnded(alone.id)).status).toBe('completed');
});
