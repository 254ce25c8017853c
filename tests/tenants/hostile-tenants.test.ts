import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { doublingSchema, ENDLESS_SCHEMA } from '../support/hostile-schemas.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { startEndlessGateway, type EndlessGateway } from './support/endless-gateway.ts';
import { addCustomer, type Customer } from './support/tenant-of.ts';

/** Only ends what would never end: whole clusters start here, on machines that may have much else to do. */
jest.setTimeout(300_000);

const MEGABYTE = 1024 ** 2;
/** As many as a 99th percentile takes; of fewer it is the longest. */
const REPEATED = byLength({ short: 60, long: 200 });

let cluster: Cluster;
let hostile: Customer;
let other: Customer;
/** A second hostile tenant, whose model calls go to a gateway of its own. */
let streaming: Customer;
let gateway: EndlessGateway;

beforeAll(async () => {
  gateway = await startEndlessGateway();
  cluster = await Cluster.start({ workers: 1, environment: { EGRESS_ALLOW: '127.0.0.1' } });
  hostile = await addCustomer(cluster, 'hostile');
  streaming = await addCustomer(cluster, 'streaming');
  other = await addCustomer(cluster, 'other');
  await streaming.request('PUT', '/v1/secrets/gateway', { value: 'key-of-the-gateway' });
  const settings = { keys: ['gateway'], base_url: gateway.url };
  expect((await streaming.request('PUT', '/v1/model_settings', settings)).status).toBe(200);
  await timesOf(REPEATED, greet);
});
afterAll(async () => {
  gateway.close();
  await cluster.stop();
});

/** Milliseconds that each of these took, one after another, the longest first. */
async function timesOf(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return times.toSorted((one, another) => another - one);
}

/** Repeats an attack for as long as `measure` takes, and waits for the last one to end. */
async function during<Result>(attack: () => Promise<void>, measure: () => Promise<Result>): Promise<Result> {
  const measured = new AbortController();
  const attacks = (async () => {
    while (!measured.signal.aborted) await attack();
  })();
  try {
    return await measure();
  } finally {
    measured.abort();
    await attacks;
  }
}

/** A turn of the tenant that does nothing wrong. */
async function greet(): Promise<void> {
  expect((await other.untilEnded((await other.submit('hello')).id)).status).toBe('completed');
}

/** Prints both, for whoever measures; fails only if a tenant was kept waiting, whatever the machine's speed. */
function expectUndisturbed(attack: string, alone: number[], beside: number[]): void {
  const percentile = (times: number[], share: number): number =>
    times[Math.floor(times.length * (1 - share))] ?? 0;
  const of = (times: number[]): string =>
    [0.5, 0.99, 1].map((share) => Math.round(percentile(times, share))).join(', ');
  process.stdout.write(
    `[${attack}] another tenant's p50, p99 and longest, ms: alone ${of(alone)}; beside it ${of(beside)}\n`,
  );
  // Of few samples, the 99th percentile is the longest, which on a busy machine says nothing of the attack.
  const share = byLength({ short: 0.5, long: 0.99 });
  expect(percentile(beside, share)).toBeLessThan(2 * percentile(alone, share) + 1_000);
}

const clientTool = (name: string, input_schema: object) => ({
  type: 'client',
  name,
  description: 'x',
  input_schema,
});

async function createAgent(of: Customer, config: object): Promise<string> {
  const { status, body } = await of.request('POST', '/v1/agents', {
    name: 'a',
    model: 'claude-sonnet-4-5',
    ...config,
  });
  expect(status).toBe(201);
  return (body as { id: string }).id;
}

test('schemas that take too long to check delay no other request, and are refused', async () => {
  const look = () => other.request('GET', `/v1/agents/${other.agentId}`);
  await timesOf(REPEATED, look);
  const alone = await timesOf(REPEATED, look);
  const wide = Object.fromEntries(
    Array.from({ length: 1_400 }, (_, n) => [
      `p${n}`,
      { type: 'string', pattern: `^(${n}|[a-z]{1,50}){1,20}$` },
    ]),
  );
  const bodies = [
    Array.from({ length: 128 }, (_, n) => clientTool(`t${n}`, doublingSchema(40))),
    [clientTool('wide', { type: 'object', properties: wide })],
  ].map((tools) => ({ name: 'a', model: 'claude-sonnet-4-5', tools }));
  const register = async () => {
    const responses = await Promise.all(bodies.map((body) => hostile.request('POST', '/v1/agents', body)));
    for (const { status, body } of responses) {
      expect(status).toBe(400);
      expect(body).toMatchObject({ code: 'invalid_request' });
    }
  };
  const beside = await during(register, () => timesOf(REPEATED, look));
  expectUndisturbed('schemas at registration', alone, beside);
});

test('four hundred calls whose check never ends delay no other turn, and are reported to the model', async () => {
  let agents = 0;
  const attack = async () => {
    const agent_id = await createAgent(hostile, {
      max_tokens: 60_000,
      tools: [
        // Another schema each time: one that was stopped is not tried again.
        clientTool('endless', { ...ENDLESS_SCHEMA, title: `${(agents += 1)}` }),
        clientTool('backtracks', {
          type: 'object',
          properties: { a: { type: 'string', pattern: '^(a+)+$' } },
        }),
      ],
    });
    const turn = await hostile.submit('hostile', { agent_id });
    sessionId = turn.session_id;
    expect(await hostile.untilEnded(turn.id)).toMatchObject({ status: 'completed', attempts: 1 });
  };
  let sessionId = '';
  const deep = `${'{"a":'.repeat(60)}{}${'}'.repeat(60)}`;
  const calls = Array.from({ length: 400 }, (_, n) =>
    n % 2 === 0
      ? { name: 'endless', input_json: deep }
      : { name: 'backtracks', input: { a: `${'a'.repeat(200)}!` } },
  );
  await cluster.control.setScript({
    rules: [
      { match: { text: 'hostile', step: 0 }, reply: { tool_uses: calls } },
      { reply: { text: 'Hello.' } },
    ],
  });
  const alone = await timesOf(REPEATED, greet);
  const beside = await during(attack, () => timesOf(REPEATED, greet));
  expectUndisturbed('schemas of calls', alone, beside);

  const conversation = await hostile.request('GET', `/v1/sessions/${sessionId}/messages`);
  const { items } = conversation.body as { items: { content: { type: string; content: unknown }[] }[] };
  const results = items.flatMap(({ content }) => content).filter(({ type }) => type === 'tool_result');
  const texts = results.map(({ content }) => JSON.stringify(content));
  expect(texts).toHaveLength(400);
  expect(texts[0]).toContain('takes too long');
  expect(texts[1]).toContain('must match pattern');
  expect(texts.slice(128).every((text) => text.includes('Only the first 128 calls'))).toBe(true);
});

test('a flood of memory calls delays no other turn', async () => {
  const agent_id = await createAgent(hostile, {
    max_tokens: 60_000,
    tools: [{ type: 'memory' }],
  });
  const writes = Array.from({ length: 128 }, (_, n) => ({
    name: 'memory',
    input: { command: 'create', path: `/memories/{{turn}}/${n}.txt`, file_text: 'x'.repeat(1_000) },
  }));
  await cluster.control.setScript({
    rules: [
      { match: { text: 'flood', step: 0 }, reply: { tool_uses: writes } },
      { reply: { text: 'Hello.' } },
    ],
  });
  const alone = await timesOf(REPEATED, greet);
  const flood = async () => {
    const turns = await Promise.all(Array.from({ length: 8 }, () => hostile.submit('flood', { agent_id })));
    for (const { id } of turns) {
      expect(await hostile.untilEnded(id)).toMatchObject({ status: 'completed' });
    }
  };
  const beside = await during(flood, () => timesOf(REPEATED, greet));
  expectUndisturbed('memory calls', alone, beside);
});

/** Of the worker. */
async function residentBytes(): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', [
    '-o',
    'rss=',
    '-p',
    String(cluster.workers[0]?.process.pid),
  ]);
  return Number(stdout) * 1024;
}

test('responses of 31 MB end as too large, bound what their worker holds, and delay no other turn', async () => {
  const turnCount = 24;
  const agent_id = await createAgent(streaming, { max_tokens: 4_096 });
  const alone = await timesOf(REPEATED, greet);
  const memory = await residentBytes();
  const turns = await Promise.all(
    Array.from({ length: turnCount }, () => streaming.submit('tell me much', { agent_id })),
  );
  const beside = await timesOf(REPEATED, greet);
  const grown = (await residentBytes()) - memory;
  for (const { id } of turns) {
    expect(await streaming.untilEnded(id)).toMatchObject({
      status: 'failed',
      attempts: 1,
      partial: false,
      error: { code: 'model_response_too_large' },
    });
  }
  process.stdout.write(`[responses] the worker grew by ${Math.round(grown / MEGABYTE)} MB\n`);
  expect(await gateway.written()).toBeLessThan(turnCount * 16 * MEGABYTE);
  expect(grown).toBeLessThan(300 * MEGABYTE);
  expectUndisturbed('responses', alone, beside);
});

test('a turn whose response never ends is cancelled while it is read', async () => {
  const agent_id = await createAgent(streaming, { name: 'long', max_tokens: 60_000 });
  await gateway.setPace(50);
  const before = await gateway.written();
  const turn = await streaming.submit('tell me more', { agent_id });
  await untilTrue('the response has begun', async () => (await gateway.written()) > before);
  await streaming.request('POST', `/v1/turns/${turn.id}/cancel`);
  expect((await streaming.untilEnded(turn.id)).status).toBe('cancelled');
});
