import { agentConfigSchema } from '@turnpike/contract';
import type { ModelResponse, ModelCallOptions, ModelRequest } from '@turnpike/contract';
import { createCallGuard } from '@turnpike/egress';
import { type Logger, Secret } from '@turnpike/telemetry';
import { createModel, type GuardedModel, type ModelSettings } from '../create-model.ts';

/** For tests: a model at this address that hardly waits between attempts, and what it logged. */
export function testModel(
  baseUrl: string,
  settings: Partial<ModelSettings> = {},
  { withoutOperatorKey = false } = {},
): { model: GuardedModel; logged: { message: string; fields: Record<string, unknown> }[] } {
  const logged: { message: string; fields: Record<string, unknown> }[] = [];
  const note = (message: string, fields: Record<string, unknown> = {}): void => {
    logged.push({ message, fields });
  };
  const logger = {
    debug: note,
    info: note,
    warn: note,
    error: note,
    child: () => logger,
  } as unknown as Logger;
  const model = createModel({
    ...(withoutOperatorKey ? {} : { apiKey: new Secret('a-key-of-the-test') }),
    baseUrl,
    logger,
    // One that hardly opens: most tests are about something else.
    guard: createCallGuard({ minCalls: 100_000 }),
    ...settings,
    limits: { backoffBaseMs: 1, backoffCapMs: 2, maxTotalAttempts: 3, ...settings.limits },
  });
  return { model, logged };
}

/** For tests: a call of that model, and what its listener was told, in order. */
export function callTestModel(
  model: GuardedModel,
  asked: { text?: string; request?: Partial<ModelRequest>; options?: Partial<ModelCallOptions> } = {},
): { answer: Promise<ModelResponse>; told: string[] } {
  const told: string[] = [];
  const content = [{ type: 'text', text: asked.text ?? 'Hello?' }];
  const answer = model.call(
    {
      tenantId: 'ten_1',
      turnId: 'turn_1',
      sessionId: 'sess_1',
      epoch: 1,
      agent: agentConfigSchema.parse({ model: 'claude-test-1', max_tokens: 100, max_steps: 5 }),
      access: { keys: [], baseUrl: null, auth: 'x-api-key', operatorKey: true },
      messages: [{ role: 'user', content }],
      tools: [],
      ...asked.request,
    },
    {
      signal: new AbortController().signal,
      assertHeld: () => undefined,
      remainingMs: 60_000,
      stepTimeoutMs: 60_000,
      previousAttempts: 0,
      onText: (text) => told.push(text),
      onRestart: () => told.push('<restart>'),
      onInterrupted: async () => undefined,
      reserveAgain: async () => undefined,
      ...asked.options,
    },
  );
  return { answer, told };
}
