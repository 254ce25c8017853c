import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { doublingSchema, ENDLESS_SCHEMA } from '../support/hostile-schemas.ts';
import { addCustomer, type Customer } from './support/tenant-of.ts';

/** Only ends what would never end: whole clusters start here, on machines that may have much else to do. */
jest.setTimeout(300_000);

let cluster: Cluster;
let hostile: Customer;
let other: Customer;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 1 });
  hostile = await addCustomer(cluster, 'hostile');
  other = await addCustomer(cluster, 'other');
});
afterAll(() => cluster.stop());

const client = (name: string, input_schema: object) => ({
  type: 'client',
  name,
  description: 'x',
  input_schema,
});

const DEEP = `${'{"a":'.repeat(60)}{}${'}'.repeat(60)}`;

/** Milliseconds that each of these took, one after another, the longest first. */
async function timesOf(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return times.toSorted((one, another) => another - one);
}

/** Twice as long is allowed, and what a machine does beside it. */
const within = (beside: number[], alone: number[]): void => {
  const [worst = 0, second = 0] = beside;
  process.stdout.write(
    `[schemas] alone ${Math.round(alone[0] ?? 0)} ms at most, beside ${Math.round(worst)} ms\n`,
  );
  expect(second).toBeLessThan(2 * (alone[0] ?? 0) + 1_000);
};

test('schemas that nobody could check keep no other request waiting, and are refused', async () => {
  const look = () => cluster.request('GET', '/livez');
  const alone = await timesOf(50, look);
  const wide = Object.fromEntries(
    Array.from({ length: 1_400 }, (_, n) => [
      `p${n}`,
      { type: 'string', pattern: `^(${n}|[a-z]{1,50}){1,20}$` },
    ]),
  );
  const registrations = [
    hostile.request('POST', '/v1/agents', {
      name: 'a',
      model: 'claude-sonnet-4-5',
      tools: Array.from({ length: 128 }, (_, n) => client(`t${n}`, doublingSchema(40))),
    }),
    hostile.request('POST', '/v1/agents', {
      name: 'a',
      model: 'claude-sonnet-4-5',
      tools: [client('wide', { type: 'object', properties: wide })],
    }),
  ];
  const beside = await timesOf(50, look);
  for (const { status, body } of await Promise.all(registrations)) {
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'invalid_request' });
  }
  within(beside, alone);
});

test('four hundred calls whose check never ends keep no other turn waiting, and end as answers for the model', async () => {
  const made = await hostile.request('POST', '/v1/agents', {
    name: 'a',
    model: 'claude-sonnet-4-5',
    max_tokens: 60_000,
    tools: [
      client('endless', ENDLESS_SCHEMA),
      client('backtracks', { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } }),
    ],
  });
  expect(made.status).toBe(201);
  const { id: agent_id } = made.body as { id: string };
  const calls = Array.from({ length: 400 }, (_, n) =>
    n % 2 === 0
      ? { name: 'endless', input_json: DEEP }
      : { name: 'backtracks', input: { a: `${'a'.repeat(200)}!` } },
  );
  await cluster.control.setScript({
    rules: [
      { match: { text: 'hostile', step: 0 }, reply: { tool_uses: calls } },
      { reply: { text: 'Hello.' } },
    ],
  });
  const greet = async () => other.untilEnded((await other.submit('hello')).id);
  await timesOf(5, greet);
  const alone = await timesOf(20, greet);
  const turn = await hostile.submit('hostile', { agent_id });
  const beside = await timesOf(20, greet);
  const ended = await hostile.untilEnded(turn.id);
  expect(ended).toMatchObject({ status: 'completed', attempts: 1 });
  within(beside, alone);

  const conversation = await hostile.request('GET', `/v1/sessions/${turn.session_id}/messages`);
  const { items } = conversation.body as { items: { content: { type: string; content: unknown }[] }[] };
  const results = items.flatMap(({ content }) => content).filter(({ type }) => type === 'tool_result');
  const said = results.map(({ content }) => JSON.stringify(content));
  expect(said).toHaveLength(400);
  expect(said[0]).toContain('takes too long');
  expect(said[1]).toContain('must match pattern');
  expect(said.slice(128).every((text) => text.includes('Only the first 128 calls'))).toBe(true);
});
