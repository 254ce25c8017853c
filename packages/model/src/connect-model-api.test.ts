import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { agentConfigSchema } from '@turnpike/contract';
import { callTestModel, testModel } from './testing/test-model.ts';
import { startScriptedApi, textMessage } from './testing/scripted-api.ts';

const HOSTILE = {
  ANTHROPIC_API_KEY: 'env-key',
  ANTHROPIC_AUTH_TOKEN: 'env-token',
  ANTHROPIC_BASE_URL: 'http://127.0.0.1:1',
  ANTHROPIC_CUSTOM_HEADERS:
    'Authorization: Bearer env-custom\nX-Api-Key: env-key\nanthropic-version: 1999-01-01\nX-Env: 1\nanthropic-beta: env',
  ANTHROPIC_LOG: 'debug',
  ANTHROPIC_PROFILE: 'env-profile',
  ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE: 'content',
};

describe('the environment of the SDK', () => {
  const before = { ...process.env };
  beforeEach(() => {
    Object.assign(process.env, HOSTILE);
  });
  afterEach(() => {
    for (const name of Object.keys(HOSTILE)) delete process.env[name];
    Object.assign(process.env, before);
    jest.restoreAllMocks();
  });

  it('changes nothing: not the key, the address, the headers or what is printed', async () => {
    const printed: unknown[] = [];
    for (const level of ['debug', 'info', 'log', 'warn', 'error'] as const) {
      jest.spyOn(console, level).mockImplementation((...words) => void printed.push(words));
    }
    const api = await startScriptedApi((_request, index) =>
      index === 0 ? { body: 'event: ping\n\nevent: x\ndata: {broken\n\n' } : { body: textMessage('Hi.') },
    );
    const { model } = testModel(api.url);
    const agent = agentConfigSchema.parse({ model: 'claude-opus-4-5', max_tokens: 2000, max_steps: 1 });
    const { response } = callTestModel(model, { request: { agent } });
    expect(await response).toMatchObject({ attempts: 2 });
    for (const { headers } of api.received) {
      expect(headers.authorization).toBe('Bearer a-key-of-the-test');
      expect(headers['anthropic-version']).toBe('2026-10-21');
      expect(JSON.stringify(headers)).not.toContain('env');
      expect(headers['x-env']).toBeUndefined();
    }
    expect(printed).toEqual([]);
    await model.close();
    await api.close();
  });

  it('does not decide the API version of an agent with a temperature', async () => {
    const api = await startScriptedApi(() => ({ body: textMessage('Hi.') }));
    const { model } = testModel(api.url);
    const agent = agentConfigSchema.parse({ model: 'claude-test-1', max_tokens: 10, temperature: 0.5 });
    await callTestModel(model, { request: { agent } }).response;
    expect(api.received[0]).toMatchObject({
      headers: { 'anthropic-version': '2023-06-01' },
      body: { temperature: 0.5 },
    });
    await model.close();
    await api.close();
  });
});
