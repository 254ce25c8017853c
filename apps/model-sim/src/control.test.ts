import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim } from './index.ts';
import type { ModelSim } from './index.ts';

describe('the control routes', () => {
  let sim: ModelSim;
  let control: SimControl;
  let client: Anthropic;

  beforeAll(async () => {
    sim = await startModelSim({ controlPort: 0 });
    control = new SimControl(sim.controlUrl);
    client = new Anthropic({ baseURL: sim.url, apiKey: 'sk-sim-secret-0001', maxRetries: 0 });
  });
  afterAll(() => sim.close());
  beforeEach(() => control.reset());

  const ask = (content: string, extra: object = {}) =>
    client.messages.create({
      model: 'claude-sonnet-5-5',
      max_tokens: 100,
      messages: [{ role: 'user', content }],
      ...extra,
    });

  const fingerprintOf = async (content: object[], tools: object[]): Promise<string | null | undefined> => {
    await ask('', { messages: [{ role: 'user', content }], tools });
    return (await control.calls()).at(-1)?.fingerprint;
  };

  it('can have a port of their own, and then are not on the other', async () => {
    expect(sim.controlUrl).not.toBe(sim.url);
    expect((await fetch(`${sim.url}/control/stats`)).status).toBe(404);
    expect((await fetch(`${sim.controlUrl}/v1/models`)).status).toBe(404);
  });

  it('count a question that was answered twice, and not one that was only tried again', async () => {
    await control.setScript({ rules: [{ times: 1, fault: { type: 'status', status: 500 } }] });
    await ask('one').catch(() => undefined);
    await ask('one');
    await ask('two');
    expect(await control.stats()).toMatchObject({ calls: 3, completed: 2, failed: 1, duplicates: 0 });
    await ask('two');
    await ask('two');
    expect(await control.stats()).toMatchObject({ calls: 5, completed: 4, duplicates: 1 });
  });

  it('recognize a request again, whatever the order of keys and the position of cache markers', async () => {
    const plain = await fingerprintOf(
      [{ type: 'text', text: 'x' }],
      [{ name: 't', input_schema: { type: 'object', properties: { a: {}, b: {} } } }],
    );
    const marked = await fingerprintOf(
      [{ text: 'x', type: 'text', cache_control: { type: 'ephemeral' } }],
      [{ input_schema: { properties: { b: {}, a: {} }, type: 'object' }, name: 't' }],
    );
    const other = await fingerprintOf(
      [{ type: 'text', text: 'y' }],
      [{ name: 't', input_schema: { type: 'object', properties: { a: {}, b: {} } } }],
    );
    expect(plain).toMatch(/^[0-9a-f]{64}$/);
    expect(marked).toBe(plain);
    expect(other).not.toBe(plain);
  });

  it('tell nothing of a key but its last four characters', async () => {
    await ask('x');
    const text = await (await fetch(`${sim.controlUrl}/control/calls`)).text();
    expect(text).toContain('"api_key_last4":"0001"');
    expect(text).not.toContain('secret');
  });

  it('wait for calls, up to a bound', async () => {
    const waiting = control.calls({ waitFor: 2 });
    await ask('one');
    await ask('two');
    expect(await waiting).toHaveLength(2);
    expect(await control.calls({ after: 1 })).toMatchObject([{ number: 2 }]);
    await expect(control.calls({ waitFor: 3, timeoutMs: 1 })).rejects.toThrow('waited for 3 calls and saw 2');
    const tooLong = await fetch(`${sim.controlUrl}/control/calls?wait_for=1&timeout_ms=999999999`);
    expect(tooLong.status).toBe(400);
  });

  it('know how many calls were open at once', async () => {
    await control.setScript({ rules: [{ fault: { type: 'hang' } }] });
    const responses = [ask('a'), ask('b'), ask('c')];
    await control.calls({ waitFor: 3, outcome: 'hung' });
    await control.release();
    await Promise.all(responses);
    await control.calls({ waitFor: 3, outcome: 'completed' });
    expect(await control.stats()).toMatchObject({ in_flight: 0, peak_in_flight: 3, completed: 3 });
  });

  it('drop on a reset what came before it, also calls that have not ended yet', async () => {
    await control.setScript({ rules: [{ fault: { type: 'hang' } }] });
    const response = ask('a');
    await control.calls({ waitFor: 1, outcome: 'hung' });
    await control.reset();
    await response;
    expect(await control.stats()).toMatchObject({ calls: 0, completed: 0, in_flight: 0, peak_in_flight: 0 });
  });

  it('let the simulator be closed while calls hang', async () => {
    const other = await startModelSim({ script: { rules: [{ fault: { type: 'hang' } }] } });
    const hanging = new Anthropic({ baseURL: other.url, apiKey: 'k', maxRetries: 0 }).messages
      .create({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] })
      .catch((error: unknown) => error);
    await new SimControl(other.controlUrl).calls({ waitFor: 1, outcome: 'hung' });
    await other.close();
    expect(await hanging).toBeInstanceOf(Anthropic.APIConnectionError);
  });
});
