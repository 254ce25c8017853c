import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { messageSchema, Turn } from '@turnpike/contract';
import type { z } from 'zod';
import { Cluster } from '../support/cluster.ts';

/** Of its reply, the words that are sent before it hangs. */
const REPLY = 'One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen.';
const HANGS = {
  rules: [
    {
      match: { text: 'count' },
      times: 1,
      pace: { chunk: 3 },
      fault: { type: 'hang' as const, after_events: 5 },
      reply: { text: REPLY },
    },
  ],
};

type Message = z.infer<typeof messageSchema>;

let cluster: Cluster;
let agentId: string;
beforeAll(async () => {
  cluster = await Cluster.join();
  agentId = (await cluster.createAgent()).id;
});
beforeEach(async () => {
  await cluster.control.reset();
  await cluster.control.setScript(HANGS);
});
afterAll(() => cluster.stop());

async function startCounting(options: object = {}): Promise<Turn> {
  const turn = await cluster.submit({ agentId }, 'count, please', { ...options });
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  return turn;
}

async function expectKept(turn: Turn, ended: object): Promise<void> {
  expect(turn).toMatchObject({ ...ended, partial: true });
  const said = turn.output_text ?? '';
  expect(said.length).toBeGreaterThan(0);
  expect(REPLY.startsWith(said)).toBe(true);
  const { body } = await cluster.request('GET', `/v1/sessions/${turn.session_id}/messages?limit=100`);
  const messages = (body as { items: Message[] }).items.filter(({ turn_id: id }) => id === turn.id);
  expect(messages).toMatchObject([
    { role: 'user', partial: false },
    { role: 'assistant', partial: true, content: [{ type: 'text', text: said }], visible_to_model: true },
  ]);
  // The call is paid for once: in the ledger, in the turn, and in the step that shows it.
  const { rows } = await cluster.database.pool.query<{ cost: string; step: string; spent: string }>(
    `SELECT turns.cost_micros AS cost, steps.cost_micros AS step,
       (SELECT sum(cost_micros) FROM ledger_entries WHERE turn_id = turns.id) AS spent
     FROM turns JOIN steps ON steps.turn_id = turns.id WHERE turns.id = $1`,
    [turn.id],
  );
  expect(Number(rows[0]?.cost)).toBeGreaterThan(0);
  expect(rows).toEqual([{ cost: rows[0]?.cost, step: rows[0]?.cost, spent: rows[0]?.cost }]);
  const { body: steps } = await cluster.request('GET', `/v1/turns/${turn.id}/steps`);
  expect(steps).toMatchObject({
    items: [{ type: 'model_call', stop_reason: null, content: [{ text: said }] }],
  });
}

/** The model of the next turn is shown what was said. */
async function expectRemembered(turn: Turn): Promise<void> {
  const next = await cluster.submit({ sessionId: turn.session_id }, 'and then?');
  expect(await cluster.untilEnded(next.id)).toMatchObject({ status: 'completed', partial: false });
  const { items } = (await cluster.request('GET', `/v1/sessions/${turn.session_id}/messages`)).body as {
    items: Message[];
  };
  expect(items.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
}

test('what was said before a cancel is kept as a partial answer, paid for once, and the next turn goes on from it', async () => {
  const { id } = await startCounting();
  await cluster.cancel(id);
  const turn = await cluster.untilEnded(id);
  await expectKept(turn, { status: 'cancelled', error: null });
  await expectRemembered(turn);
});

test('a stream shows what is kept: the step with its text, and then the end with the output', async () => {
  const { id } = await startCounting();
  await cluster.cancel(id);
  await cluster.untilEnded(id);
  const response = await fetch(`${cluster.url}/v1/turns/${id}/events`, {
    headers: { authorization: `Bearer ${cluster.apiKey}` },
  });
  const events = (await response.text())
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as { type: string });
  const [step, end] = events.slice(-2);
  expect(step).toMatchObject({ type: 'step.completed', step: { stop_reason: null } });
  expect(end).toMatchObject({ type: 'turn.cancelled', turn: { partial: true } });
  expect((end as unknown as { turn: Turn }).turn.output).toEqual(
    (step as unknown as { step: { content: unknown } }).step.content,
  );
});

test('what was said before the deadline is kept, and a turn that resumes goes on after it', async () => {
  const { id } = await startCounting({ deadline_ms: 4_000 });
  const turn = await cluster.untilEnded(id);
  await expectKept(turn, { status: 'incomplete', stop_reason: 'deadline' });
  const { status, body } = await cluster.request('POST', `/v1/turns/${id}/resume`, {});
  expect(status).toBe(202);
  expect(await cluster.untilEnded((body as Turn).id)).toMatchObject({ status: 'completed', resumes: id });
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});

test('what was said before an interrupt is kept, and shown to the turn that interrupts', async () => {
  const { id, session_id: sessionId } = await startCounting();
  const next = await cluster.submit({ sessionId }, 'stop that', { multitask_strategy: 'interrupt' });
  expect(await cluster.untilEnded(next.id)).toMatchObject({ status: 'completed' });
  await expectKept(await cluster.read(id), { status: 'cancelled' });
});

test('a step that runs out of time keeps what was said of it', async () => {
  const agent = await cluster.createAgent({ step_timeout_ms: 1500 });
  const turn = await cluster.submit({ agentId: agent.id }, 'count, please');
  await expectKept(await cluster.untilEnded(turn.id), {
    status: 'failed',
    error: expect.objectContaining({ code: 'model_step_timeout' }),
  });
});

test('a turn that was stopped before it said a word has no partial answer', async () => {
  await cluster.control.setScript({
    rules: [{ match: { text: 'count' }, times: 1, fault: { type: 'hang', after_events: 1 } }],
  });
  const { id } = await startCounting();
  await cluster.cancel(id);
  expect(await cluster.untilEnded(id)).toMatchObject({ partial: false, output: null, output_text: null });
});
