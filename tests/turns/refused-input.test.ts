import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { messageSchema, Turn } from '@turnpike/contract';
import type { z } from 'zod';
import { Cluster } from '../support/cluster.ts';

const CAMERA = {
  type: 'client',
  name: 'take_picture',
  description: 'Takes a picture.',
  input_schema: { type: 'object', properties: {} },
};
const image = (name: string) => ({
  type: 'image',
  source: { type: 'url', url: `https://pictures.invalid/${name}.png` },
});
const text = (words: string) => ({ type: 'text', text: words });
const refuse = (contains: string, more: object = {}) => ({
  refused_blocks: [{ contains, message: 'Could not process image', ...more }],
});

type Message = z.infer<typeof messageSchema>;

let cluster: Cluster;
let agentId: string;
beforeAll(async () => {
  cluster = await Cluster.join();
  agentId = (await cluster.createAgent({ tools: [CAMERA] })).id;
});
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

async function say(to: Parameters<Cluster['submit']>[0], input: unknown, more: object = {}): Promise<Turn> {
  const { id } = await cluster.submit(to, '', { input, ...more });
  return cluster.untilEnded(id);
}

async function messagesOf(sessionId: string): Promise<Message[]> {
  const { body } = await cluster.request('GET', `/v1/sessions/${sessionId}/messages?limit=100`);
  return (body as { items: Message[] }).items;
}

/** The session takes another turn, which the API that still refuses the block lets through. */
async function expectUsable(sessionId: string): Promise<void> {
  expect(await say({ sessionId }, 'And now?')).toMatchObject({ status: 'completed', error: null });
}

test('a picture that the model API refuses fails its turn, which says where it is, and later turns do without it', async () => {
  await cluster.control.setScript(refuse('broken'));
  const turn = await say({ agentId }, [text('What is this?'), image('fine'), image('broken')]);
  const [input] = await messagesOf(turn.session_id);
  expect(turn).toMatchObject({
    status: 'failed',
    error: {
      code: 'input_refused',
      retry_status: 'terminal',
      message: expect.stringContaining(`block 2 of ${input?.id}`),
      refused: [{ message_id: input?.id, block_index: 2, item_index: null, certain: true }],
    },
  });
  await expectUsable(turn.session_id);
  const [kept] = await messagesOf(turn.session_id);
  expect(kept).toMatchObject({
    content: [{ type: 'text' }, { type: 'image' }, image('broken')],
    visible_to_model: true,
    hidden_reason: null,
    refused_blocks: [{ block_index: 2, certain: true, reason: expect.stringMatching(/could not process/i) }],
  });
});

test('where the API does not say which, the pictures and documents that are new are taken for it, and the text is kept', async () => {
  await cluster.control.setScript(refuse('broken', { named: false }));
  const before = await say({ agentId }, [text('Look.'), image('older')]);
  const turn = await say({ sessionId: before.session_id }, [
    text('And this?'),
    image('one'),
    image('broken'),
  ]);
  const refused = [1, 2].map((block_index) => ({ block_index, certain: false }));
  expect(turn).toMatchObject({ status: 'failed', error: { code: 'input_refused', refused } });
  expect(turn.error?.message).toMatch(/without saying which/);
  await expectUsable(before.session_id);
  const messages = await messagesOf(before.session_id);
  expect(messages.map((message) => message.refused_blocks.length)).toEqual([0, 0, 2, 0, 0]);
});

test('a message of which nothing is left is not shown to the model, and says so', async () => {
  await cluster.control.setScript(refuse('broken'));
  const turn = await say({ agentId }, [image('broken')]);
  expect(await messagesOf(turn.session_id)).toMatchObject([
    { visible_to_model: false, hidden_reason: 'refused' },
  ]);
  await expectUsable(turn.session_id);
});

test.each([true, false])(
  'a picture of an older turn that died later costs no turn (named: %s)',
  async (named) => {
    const first = await say({ agentId }, [text('Look at these.'), image('dies-a'), image('dies-b')]);
    expect(first.status).toBe('completed');
    await cluster.control.setScript(refuse('dies-', { named, message: 'Unable to download the file.' }));
    await expectUsable(first.session_id);
    const [input] = await messagesOf(first.session_id);
    expect(input?.refused_blocks.map((block) => block.block_index)).toEqual([1, 2]);
    // What is marked is not sent again: the next turn is one call.
    const { calls } = await cluster.control.stats();
    await expectUsable(first.session_id);
    expect((await cluster.control.stats()).calls).toBe(calls + 1);
  },
);

test('a picture that a tool brought is left out of its result, and the turn goes on', async () => {
  await cluster.control.setScript({
    ...refuse('broken'),
    rules: [
      { match: { text: 'picture', step: 0 }, reply: { tool_uses: [{ name: 'take_picture' }] } },
      { match: { step: 1 }, reply: { text: 'Told: {{tool_result}}' } },
    ],
  });
  const { id } = await cluster.submit({ agentId }, 'Take a picture');
  const waiting = await cluster.until(id, ['requires_action']);
  const [call] = waiting.required_action?.tool_calls ?? [];
  const output = [text('Here.'), image('broken')];
  await cluster.request('POST', `/v1/turns/${id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: call?.id, output }],
  });
  const turn = await cluster.untilEnded(id);
  expect(turn).toMatchObject({ status: 'completed' });
  expect(turn.output_text).toMatch(/^Told: .*Left out: this image/s);
  const result = (await messagesOf(turn.session_id))[2];
  expect(result).toMatchObject({
    visible_to_model: true,
    refused_blocks: [{ block_index: 0, item_index: 1 }],
  });
  await expectUsable(turn.session_id);
});

test('a picture that joined a running turn fails it, and what the turn did before is kept', async () => {
  await cluster.control.setScript({
    ...refuse('broken'),
    rules: [
      { match: { text: 'plan' }, times: 1, fault: { type: 'hang', after_events: 2 } },
      { match: { text: 'plan' }, reply: { text: 'Here is the plan.' } },
    ],
  });
  const running = await cluster.submit({ agentId }, 'Make a plan');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const input = [image('broken')];
  await cluster.submit({ sessionId: running.session_id }, '', { input, multitask_strategy: 'steer' });
  await cluster.control.release();
  const turn = await cluster.untilEnded(running.id);
  const messages = await messagesOf(running.session_id);
  expect(turn.error).toMatchObject({ code: 'input_refused', refused: [{ message_id: messages[2]?.id }] });
  expect(messages.map(({ visible_to_model: isShown }) => isShown)).toEqual([true, true, false]);
  await expectUsable(running.session_id);
});

test('an error about the request and not about what is said in it marks nothing', async () => {
  const message = 'max_tokens: 128000 > 64000, which is the maximum allowed number of output for this file';
  await cluster.control.setScript({ rules: [{ fault: { type: 'status', status: 400, message } }] });
  const turn = await say({ agentId }, [text('Hello'), image('fine')]);
  expect(turn.error).toMatchObject({ code: 'model_rejected_request' });
  expect(await messagesOf(turn.session_id)).toMatchObject([{ refused_blocks: [], visible_to_model: true }]);
});

test('a message of a turn that was rolled back says that the model does not see it', async () => {
  await cluster.control.setScript({
    rules: [{ match: { text: 'hang' }, times: 1, fault: { type: 'hang', after_events: 2 } }],
  });
  const running = await cluster.submit({ agentId }, 'please hang');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const next = await say({ sessionId: running.session_id }, 'rather this', {
    multitask_strategy: 'rollback',
  });
  expect(next.status).toBe('completed');
  const messages = await messagesOf(running.session_id);
  expect(messages[0]).toMatchObject({ visible_to_model: false, hidden_reason: 'rolled_back' });
  expect(messages.at(-1)).toMatchObject({ visible_to_model: true, hidden_reason: null });
});
