import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim } from './index.ts';
import type { ModelSim, ScriptInput } from './index.ts';

const ASK = {
  model: 'claude-sonnet-5-5',
  max_tokens: 1000,
  messages: [{ role: 'user' as const, content: 'Do both.' }],
};
const TWO_TOOLS = {
  text: 'Both at once.',
  tool_uses: [
    { name: 'a', input: { x: 1 } },
    { name: 'b', input: { y: 'two' } },
  ],
};

describe('a fault of the script', () => {
  let sim: ModelSim;
  let control: SimControl;
  let client: Anthropic;

  beforeAll(async () => {
    sim = await startModelSim();
    control = new SimControl(sim.controlUrl);
    client = new Anthropic({ baseURL: sim.url, apiKey: 'sk-sim-0001', maxRetries: 0, logLevel: 'off' });
  });
  afterAll(() => sim.close());
  beforeEach(() => control.reset());

  const failWith = async (script: ScriptInput, stream: boolean): Promise<unknown> => {
    await control.setScript(script);
    const response: Promise<unknown> = stream
      ? client.messages.stream(ASK).finalMessage()
      : client.messages.create(ASK);
    return response.then(
      () => undefined,
      (error: unknown) => error,
    );
  };

  it('is a 429 with retry-after, which the SDK knows as RateLimitError', async () => {
    const error = await failWith(
      { rules: [{ fault: { type: 'status', status: 429, headers: { 'retry-after': '7' } } }] },
      true,
    );
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    if (!(error instanceof Anthropic.RateLimitError)) return;
    expect(error.type).toBe('rate_limit_error');
    expect(error.headers.get('retry-after')).toBe('7');
    expect(error.requestID).toMatch(/^req_/);
    expect(await control.stats()).toMatchObject({ calls: 1, failed: 1, rejected: 0 });
  });

  it.each([
    [500, 'api_error', Anthropic.InternalServerError],
    [529, 'overloaded_error', Anthropic.InternalServerError],
    [403, 'permission_error', Anthropic.PermissionDeniedError],
  ] as const)('is a %i of type %s', async (status, type, errorClass) => {
    const error = await failWith({ rules: [{ fault: { type: 'status', status } }] }, false);
    expect(error).toBeInstanceOf(errorClass);
    expect(error).toMatchObject({ status, type });
  });

  it('is an error event after HTTP 200, which has a type and no status', async () => {
    const error = await failWith(
      { rules: [{ fault: { type: 'error_event', after_events: 4 }, reply: TWO_TOOLS }] },
      true,
    );
    expect(error).toBeInstanceOf(Anthropic.APIError);
    expect(error).toMatchObject({ status: undefined, type: 'overloaded_error' });
    const [call] = await control.calls();
    expect(call).toMatchObject({ outcome: 'failed', status: 200, events: 4 });
  });

  it('cuts the stream at every event of a message with two tool calls, and no cut looks like an end', async () => {
    await control.setScript({ rules: [{ reply: TWO_TOOLS }] });
    await client.messages.stream(ASK).finalMessage();
    const [whole] = await control.calls({ waitFor: 1, outcome: 'completed' });
    const events = whole?.events ?? 0;
    expect(events).toBeGreaterThan(10);

    for (let after = 0; after < events; after++) {
      const error = await failWith(
        { rules: [{ fault: { type: 'cut', after_events: after }, reply: TWO_TOOLS }] },
        true,
      );
      expect(error).toBeInstanceOf(Anthropic.AnthropicError);
      expect(String(error)).toContain('terminated');
      const call = (await control.calls()).at(-1);
      expect(call).toMatchObject({ outcome: 'cut', events: after });
    }
    await failWith({ rules: [{ fault: { type: 'cut', after_events: events + 1 }, reply: TWO_TOOLS }] }, true);
    await control.calls({ waitFor: 2, outcome: 'completed' });
  });

  it('cuts a JSON answer half-way', async () => {
    expect(String(await failWith({ rules: [{ fault: { type: 'cut' } }] }, false))).toContain('terminated');
    expect(await control.stats()).toMatchObject({ cut: 1, completed: 0 });
  });

  it.each([true, false])('is JSON that cannot be read (streamed: %s)', async (stream) => {
    const error = await failWith({ rules: [{ fault: { type: 'malformed', after_events: 3 } }] }, stream);
    expect(String(error)).toMatch(/JSON|Unterminated/);
    await control.calls({ waitFor: 1, outcome: 'failed' });
  });

  it.each([
    ['before the head', undefined, true],
    ['within the stream', 3, true],
    ['before a JSON answer', undefined, false],
  ] as const)('hangs %s until it is released, then goes on', async (_where, after, stream) => {
    await control.setScript({
      rules: [
        {
          times: 1,
          fault: { type: 'hang', ...(after === undefined ? {} : { after_events: after }) },
          reply: { text: 'At last.' },
        },
      ],
    });
    const response = stream ? client.messages.stream(ASK).finalMessage() : client.messages.create(ASK);
    const [hanging] = await control.calls({ waitFor: 1, outcome: 'hung' });
    expect(hanging).toMatchObject({ outcome: 'hung', events: after ?? 0 });
    expect(await control.stats()).toMatchObject({ in_flight: 1, hung: 1 });
    expect(await control.release()).toBe(1);
    expect((await response).content[0]).toMatchObject({ text: 'At last.' });
    await control.calls({ waitFor: 1, outcome: 'completed' });
  });

  it.each([
    ['while it hangs', { fault: { type: 'hang' as const } }, 'hung' as const],
    ['while it streams', { pace: { tokens_per_second: 0.01 } }, 'in_flight' as const],
  ])('notices a client that goes away %s', async (_when, rule, state) => {
    await control.setScript({ rules: [{ reply: { text: 'a long long answer '.repeat(50) }, ...rule }] });
    const leaving = new AbortController();
    const response = client.messages.stream(ASK, { signal: leaving.signal }).finalMessage();
    const settled = response.catch((error: unknown) => error);
    await control.calls({ waitFor: 1, outcome: state });
    leaving.abort();
    expect(await settled).toBeInstanceOf(Anthropic.APIUserAbortError);
    const [call] = await control.calls({ waitFor: 1, outcome: 'aborted' });
    expect(call?.ended_at).not.toBeNull();
    expect(await control.stats()).toMatchObject({ in_flight: 0, aborted: 1, completed: 0 });
    expect(await control.release()).toBe(0);
  });

  it('passes once and lets the retry through, with the reply of the rule behind it', async () => {
    await control.setScript({
      rules: [
        {
          name: 'outage',
          times: 2,
          fault: { type: 'status', status: 529, headers: { 'retry-after-ms': '1' } },
        },
        { name: 'cut', times: 1, fault: { type: 'cut', after_events: 5 } },
        { name: 'answer', times: 1, reply: { text: 'Third time lucky.' } },
      ],
    });
    const patient = client.withOptions({ maxRetries: 2 });
    await expect(patient.messages.stream(ASK).finalMessage()).rejects.toThrow(Anthropic.AnthropicError);
    const message = await patient.messages.stream(ASK).finalMessage();
    expect(message.content[0]).toMatchObject({ text: 'Third time lucky.' });
    expect((await control.stats()).rules).toEqual([
      { rule: 'outage', fired: 2 },
      { rule: 'cut', fired: 1 },
      { rule: 'answer', fired: 1 },
    ]);
  });
});
