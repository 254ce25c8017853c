import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { agentConfigSchema, NO_USAGE, type ModelRequest } from '@turnpike/contract';
import { costOf, mostCostOf } from './cost.ts';
import { readPrices, type Price } from './prices.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const prices = readPrices();
const sonnet = prices.priceOf('claude-sonnet-4-5', NOW);

const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  access: { keys: [], baseUrl: null, auth: 'x-api-key', operatorKey: true },
  agent: agentConfigSchema.parse({ model: 'claude-sonnet-4-5', max_tokens: 1000 }),
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  tools: [],
  ...more,
});

async function tableFile(listed: object[]): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'prices-')), 'prices.json');
  const table = { as_of: '2026-11-25', unit: 'US dollars per million tokens', prices: listed };
  writeFileSync(file, JSON.stringify(table));
  return file;
}

const price = (more: Partial<Price>): Price => ({
  model: 'm',
  from: '2026-01-01',
  input: 1,
  output: 1,
  cache_write: 1,
  cache_read: 1,
  fast: 2,
  ...more,
});

describe('the price table', () => {
  test('finds a model by its name, and its releases by their prefix', () => {
    expect(prices.priceOf('claude-sonnet-4-5-20250929', NOW)).toBe(sonnet);
    expect(prices.priceOf('claude-sonnet-4-20250514', NOW).model).toBe('claude-sonnet-4');
    expect(prices.priceOf('claude-opus-4-5-20251101', NOW).model).toBe('claude-opus-4-5');
  });

  test('gives an unknown model the highest price', () => {
    expect(prices.priceOf('claude-sonnet-4x', NOW).output).toBe(75);
    expect(prices.priceOf('gpt-9', NOW).output).toBe(75);
  });

  test("an operator's own prices override bundled ones, each from its first day", async () => {
    const own = [
      price({ model: 'claude-sonnet-4-5', from: '2026-01-01', output: 9 }),
      price({ model: 'claude-sonnet-4-5', from: '2026-12-01', output: 8 }),
      price({ model: 'ours', output: 1 }),
    ];
    const table = readPrices(await tableFile(own));
    expect(table.priceOf('claude-sonnet-4-5', NOW).output).toBe(9);
    expect(table.priceOf('claude-sonnet-4-5', Date.parse('2026-12-01T00:00:00Z')).output).toBe(8);
    expect(table.priceOf('ours', NOW).output).toBe(1);
    expect(table.priceOf('claude-haiku-4-5', NOW).output).toBe(5);
  });

  test('a file that is not a price table is refused, with its mistakes', async () => {
    const file = await tableFile([{ model: 'm', from: 'yesterday', input: -1 }]);
    expect(() => readPrices(file)).toThrow(/not a price table[^]*prices\[0\]\.from[^]*prices\[0\]\.input/);
  });
});

describe('the cost of a call', () => {
  test('is the sum of its tokens at their prices, in millionths of a dollar', () => {
    const usage = {
      input_tokens: 1_000,
      output_tokens: 200,
      cache_creation_input_tokens: 400,
      cache_read_input_tokens: 10_000,
    };
    expect(costOf(usage, sonnet)).toBe(3_000 + 3_000 + 1_500 + 3_000);
    expect(costOf(usage, sonnet, { webSearches: 3 })).toBe(3_000 + 3_000 + 1_500 + 3_000 + 30_000);
    // An hour in the cache costs twice the input.
    expect(costOf(usage, sonnet, { cacheTtl: '1h' })).toBe(3_000 + 3_000 + 2_400 + 3_000);
  });

  test('at the speed fast is a multiple of that, but for searches', () => {
    const usage = { ...NO_USAGE, input_tokens: 1_000, cache_read_input_tokens: 1_000 };
    const one = price({ input: 1, cache_read: 0.5, fast: 2 });
    expect(costOf(usage, one, { isFast: true, webSearches: 1 })).toBe(3_000 + 10_000);
    const fast = { ...request().agent, speed: 'fast' as const };
    expect(mostCostOf(request({ agent: fast }), one).micros).toBe(2 * mostCostOf(request(), one).micros);
    // Where the table does not say, it is the most that it ever was.
    expect(sonnet.fast).toBe(6);
  });

  test('where the model runs in one geography is a tenth more, but for searches', () => {
    const usage = { ...NO_USAGE, input_tokens: 1_000 };
    const one = price({ input: 1, fast: 2 });
    expect(costOf(usage, one, { geo: 'us', webSearches: 1 })).toBe(1_100 + 10_000);
    expect(costOf(usage, one, { geo: 'us', isFast: true })).toBe(2_200);
    for (const geo of ['global', 'not_available', undefined]) expect(costOf(usage, one, { geo })).toBe(1_000);
    const agent = { ...request().agent, inference_geo: 'us' };
    expect(mostCostOf(request({ agent }), one).micros).toBe(
      Math.ceil(mostCostOf(request(), one).micros * 1.1),
    );
  });

  test('is rounded up to a whole millionth, but not for the error of a binary fraction', () => {
    expect(costOf({ ...NO_USAGE, cache_read_input_tokens: 1 }, sonnet)).toBe(1);
    expect(costOf({ ...NO_USAGE, cache_read_input_tokens: 10 }, sonnet)).toBe(3);
    expect(costOf(NO_USAGE, sonnet)).toBe(0);
  });
});

describe('the most that a call can cost', () => {
  const most = (more: Partial<ModelRequest> = {}): number => mostCostOf(request(more), sonnet).micros;

  test('includes all the output that it may have, and grows with the conversation', () => {
    expect(most()).toBeGreaterThan(1_000 * 15);
    const long = [{ role: 'user' as const, content: [{ type: 'text', text: 'x'.repeat(8_000) }] }];
    expect(most({ messages: long }) - most()).toBeGreaterThan(7_900 * 3.75);
  });

  test('counts each byte of text as a token', () => {
    const text = '#!'.repeat(5_000);
    const messages = [{ role: 'user' as const, content: [{ type: 'text', text }] }];
    const usage = { ...NO_USAGE, input_tokens: 10_000, output_tokens: 1_000 };
    expect(most({ messages })).toBeGreaterThanOrEqual(costOf(usage, sonnet));
  });

  test('an image counts by its size on the screen, also inside the result of a tool', () => {
    const image = {
      type: 'image',
      source: { type: 'base64', media_type: 'image/png', data: 'A'.repeat(1_000_000) },
    };
    const said = most({ messages: [{ role: 'user', content: [image] }] });
    const found = most({
      messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [image] }] }],
    });
    for (const cost of [said, found]) expect(cost - most()).toBeLessThan(6_000 * 3.75);
  });
});
