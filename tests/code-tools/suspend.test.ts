import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCodeCluster, type CodeCluster } from './support/code-cluster.ts';

let code: CodeCluster;
beforeAll(async () => {
  code = await startCodeCluster();
});
afterAll(() => code.stop());

test('a tool asks a person with a form, holds no worker meanwhile, and gets the answer also from another worker', async () => {
  const { id } = await code.call('confirm');
  const waiting = await code.cluster.until(id, ['requires_action']);
  expect(waiting.required_action?.tool_calls).toMatchObject([
    {
      name: 'confirm',
      awaiting: 'answer',
      question: {
        name: 'answer',
        text: 'Ship order 1?',
        answer_schema: {
          type: 'object',
          required: ['ship', 'copies'],
          properties: { ship: { type: 'boolean' } },
        },
      },
    },
  ]);
  const { rows } = await code.cluster.database.pool.query(
    'SELECT leased_until, dispatched_at FROM turns WHERE id = $1',
    [id],
  );
  expect(rows).toEqual([{ leased_until: null, dispatched_at: null }]);
  await code.cluster.workers[0]?.end('SIGKILL');
  await code.cluster.startWorker();

  expect(await code.answer(waiting, { answer: { ship: true, copies: 2 } })).toBe(202);
  const turn = await code.cluster.untilEnded(id);
  expect(JSON.parse(turn.output_text ?? '')).toEqual({ order: 1, ship: true, copies: 2 });
  expect(code.server.count('/order')).toBe(1);
  const { body } = await code.cluster.request('GET', `/v1/turns/${id}/events`, undefined, {
    accept: 'application/json',
  });
  const { items } = body as { items: { type: string; required_action?: unknown }[] };
  expect(items.map(({ type }) => type)).toContain('tool.suspended');
  const asked = items.find(({ type }) => type === 'turn.requires_action');
  expect(asked?.required_action).toMatchObject({ tool_calls: [{ question: { text: 'Ship order 1?' } }] });
});

test('an answer that does not fit the form is refused, and one that the schema alone refuses is asked for again', async () => {
  const { id } = await code.call('confirm');
  const waiting = await code.cluster.until(id, ['requires_action']);
  expect(await code.answer(waiting, { answer: { ship: 'yes', copies: 2 } })).toBe(400);
  expect(await code.answer(waiting, { answer: null })).toBe(400);
  expect(await code.answer(waiting, { output: 'text' })).toBe(400);
  expect(await code.answer(waiting, {})).toBe(400);
  expect(await code.answer(waiting, { answer: { ship: true, copies: 13 } })).toBe(202);
  const again = await code.cluster.until(id, ['requires_action']);
  expect(again.required_action?.tool_calls[0]?.question?.text).toContain('not 13');
  expect(await code.answer(again, { answer: { ship: false, copies: 1 } })).toBe(202);
  const turn = await code.cluster.untilEnded(id);
  expect(turn.output_text).toContain('"ship":false');
});

test('a question that nobody answers in time is an error for the model, and a waiting turn can be cancelled', async () => {
  const agent = await code.cluster.createAgent({
    tools: [{ type: 'code', name: 'confirm' }],
    action_timeout_ms: 1_000,
  });
  await code.cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'confirm' }] } },
      { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
    ],
  });
  const { id } = await code.cluster.submit({ agentId: agent.id }, 'Confirm.');
  expect((await code.cluster.untilEnded(id)).output_text).toContain('Nobody answered the question');
  const { id: other } = await code.call('confirm');
  await code.cluster.until(other, ['requires_action']);
  await code.cluster.cancel(other);
  expect((await code.cluster.untilEnded(other)).status).toBe('cancelled');
});
