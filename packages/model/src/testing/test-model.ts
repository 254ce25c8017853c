import { agentConfigSchema, TypedEmitter } from '@turnpike/contract';
import type {
  InterruptedCall,
  ModelCall,
  ModelCallEvents,
  ModelRequest,
  ModelResponse,
  TurnContext,
} from '@turnpike/contract';
import { createCallGuard } from '@turnpike/egress';
import { type Logger, type LogFields, Secret } from '@turnpike/telemetry';
import { createModel, type GuardedModel, type ModelSettings } from '../create-model.ts';

export interface LoggedLine {
  message: string;
  fields: LogFields;
}

/** What a test may say about a call; what it leaves out has a default. */
export interface TestCall extends Partial<
  Pick<ModelCall, 'stepTimeoutMs' | 'previousAttempts' | 'reserveAgain'>
> {
  text?: string;
  request?: Partial<ModelRequest>;
  tenantId?: string;
  signal?: AbortSignal;
  remainingMs?: number;
  onText?: (piece: string) => void;
}

const loggers = new WeakMap<GuardedModel, Logger>();

/** For tests: a model at this address that hardly waits between attempts, and what it and its calls logged. */
export function testModel(
  baseUrl: string,
  settings: Partial<ModelSettings> = {},
  { withoutOperatorKey = false } = {},
): { model: GuardedModel; logged: LoggedLine[] } {
  const logged: LoggedLine[] = [];
  const logger = recordingLogger(logged);
  const model = createModel({
    ...(withoutOperatorKey ? {} : { apiKey: new Secret('a-key-of-the-test') }),
    baseUrl,
    logger,
    // Its circuit breaker hardly ever opens: most tests are about something else.
    guard: createCallGuard({ minCalls: 100_000 }),
    ...settings,
    limits: { backoffBaseMs: 1, backoffCapMs: 2, maxTotalAttempts: 3, ...settings.limits },
  });
  loggers.set(model, logger);
  return { model, logged };
}

/** For tests: a call of that model, the text that its listeners were given, and the requests that were interrupted. */
export function callTestModel(
  model: GuardedModel,
  { text = 'Hello?', request, onText, ...call }: TestCall = {},
): { response: Promise<ModelResponse>; shown: string[]; interrupted: InterruptedCall[] } {
  const shown: string[] = [];
  const interrupted: InterruptedCall[] = [];
  const events = new TypedEmitter<ModelCallEvents>((error) => {
    throw error;
  })
    .on('text', (piece) => shown.push(piece))
    .on('restarted', () => shown.push('<restart>'))
    .on('interrupted', (usage) => interrupted.push(usage));
  if (onText !== undefined) events.on('text', onText);
  const response = model.call({
    turn: testTurn(model, call),
    request: testRequest(text, request),
    stepTimeoutMs: call.stepTimeoutMs ?? 60_000,
    previousAttempts: call.previousAttempts ?? 0,
    events,
    reserveAgain: call.reserveAgain ?? (async () => undefined),
  });
  return { response, shown, interrupted };
}

/** For tests: the tokens of such a call as the model's API counts them. */
export function countTestTokens(
  model: GuardedModel,
  { text = 'Hello?', request, ...call }: TestCall = {},
): Promise<number | null> {
  return model.countTokens({ turn: testTurn(model, call), request: testRequest(text, request) });
}

function testRequest(text: string, more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    agent: agentConfigSchema.parse({ model: 'claude-test-1', max_tokens: 100, max_steps: 5 }),
    access: { keys: [], baseUrl: null, auth: 'x-api-key', operatorKey: true },
    messages: [{ role: 'user', content: [{ type: 'text', text }] }],
    tools: [],
    ...more,
  };
}

function testTurn(
  model: GuardedModel,
  { tenantId = 'ten_1', signal = new AbortController().signal, remainingMs = 60_000 }: TestCall,
): TurnContext {
  const ids = { tenant_id: tenantId, turn_id: 'turn_1', session_id: 'sess_1', epoch: 1 };
  return {
    tenantId,
    turnId: ids.turn_id,
    sessionId: ids.session_id,
    epoch: ids.epoch,
    signal,
    logger: (loggers.get(model) ?? recordingLogger([])).child(ids),
    traceparent: null,
    logsContent: () => false,
    assertHeld: () => undefined,
    now: () => Date.now(),
    remainingMs: () => remainingMs,
  };
}

function recordingLogger(logged: LoggedLine[], bound: LogFields = {}): Logger {
  const log = (message: string, fields: LogFields = {}): void => {
    logged.push({ message, fields: { ...bound, ...fields } });
  };
  const child = (more: LogFields): Logger => recordingLogger(logged, { ...bound, ...more });
  return { debug: log, info: log, warn: log, error: log, child };
}
