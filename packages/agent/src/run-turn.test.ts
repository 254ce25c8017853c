import { setImmediate } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import {
  agentConfigSchema,
  isFinal,
  textOf,
  DrainError,
  ModelError,
  NO_USAGE,
  blockPathOf,
  RetryableError,
  TurnCancelledError,
  type Advance,
  type AdvanceResult,
  type ChildTurn,
  type ClaimedTurn,
  type InterruptedCall,
  type Effect,
  type ModelResponse,
  type Release,
  type RequestedChild,
  type StartedChild,
  type ToolCall,
  type TurnLogger,
} from '@turnpike/contract';
import type { Model, ToolRunner, TurnLease } from './ports.ts';
import { runTurn } from './run-turn.ts';

/** A lease that records what is written, and lets the test act during a commit. */
class TestLease implements TurnLease {
  readonly advances: Advance[] = [];
  readonly releases: Release[] = [];
  readonly usage: InterruptedCall[] = [];
  readonly #stop = new AbortController();
  readonly #end = new AbortController();
  draining = false;
  onAdvance: (advance: Advance) => void = () => undefined;
  readonly turn: ClaimedTurn = {
    id: 'turn_1',
    tenantId: 'ten_1',
    sessionId: 'sess_1',
    sequence: 1,
    agentId: 'agent_1',
    agentVersion: 1,
    parentTurnId: null,
    epoch: 1,
    attempts: 1,
    status: 'in_progress',
    agent: agentConfigSchema.parse({ model: 'm' }),
    tools: [],
    modelAccess: { keys: [], baseUrl: null, auth: 'x-api-key', operatorKey: true },
    metadata: {},
    sessionMetadata: {},
    claimedAt: 0,
    remainingMs: 60_000,
    summary: null,
    history: [],
    messages: [
      {
        id: 'msg_1',
        turnSequence: 1,
        index: 0,
        role: 'user',
        content: [{ type: 'text', text: 'Hi' }],
        partial: false,
        refused: [],
      },
    ],
    modelAttempts: 0,
    eventCount: 3,
    stepCount: 0,
    modelCallCount: 0,
    lastStopReason: null,
    pauseCount: 0,
    openToolCalls: [],
    pendingInputs: 0,
    isBudgeted: false,
    outage: null,
  };

  get signal(): AbortSignal {
    return this.#stop.signal;
  }
  get endSignal(): AbortSignal {
    return this.#end.signal;
  }
  eventCount = 3;
  readonly shownProgress: unknown[] = [];
  showProgress(progress: unknown): void {
    this.shownProgress.push(progress);
  }
  readonly shown: { stepIndex: number; attempt: number; text: string }[] = [];
  show(preview: { stepIndex: number; attempt: number; text: string }): void {
    this.shown.push(preview);
  }
  remainingMs = (): number => 60_000;
  now = (): number => 0;
  assertHeld = (): void => undefined;

  stop(reason: Error): void {
    this.#stop.abort(reason);
    if (!(reason instanceof DrainError)) this.#end.abort(reason);
  }
  async advance(advance: Advance): Promise<AdvanceResult> {
    this.advances.push(advance);
    this.onAdvance(advance);
    const status =
      advance.outcome?.status ?? (advance.action === undefined ? 'in_progress' : 'requires_action');
    return {
      status,
      pendingInputs: 0,
      addedInputs: [],
      isBudgeted: this.turn.isBudgeted,
      othersMayRun: false,
    };
  }
  async reserve(): Promise<void> {}
  /** Child turns by the call that started them; a test ends them. */
  readonly children = new Map<string, ChildTurn>();
  /** Ends the child turns as the turn is about to be parked. */
  onPark: () => void = () => undefined;
  async startChildren(requested: readonly RequestedChild[]): Promise<StartedChild[]> {
    return requested.map(({ toolCallId }) => {
      const childTurnId = `turn_of_${toolCallId}`;
      const child = this.children.get(toolCallId) ?? {
        id: childTurnId,
        status: 'queued',
        stopReason: null,
        output: null,
        error: null,
      };
      this.children.set(toolCallId, child);
      return { toolCallId, childTurnId, refusal: null };
    });
  }
  async readChildren(turnIds: readonly string[]): Promise<ChildTurn[]> {
    return [...this.children.values()].filter(({ id }) => turnIds.includes(id));
  }
  parked = 0;
  async park(): Promise<boolean> {
    this.onPark();
    if ([...this.children.values()].every(({ status }) => isFinal(status))) return false;
    this.parked += 1;
    return true;
  }
  async recordUsage(call: InterruptedCall): Promise<void> {
    this.usage.push(call);
  }
  async release(release: Release): Promise<void> {
    this.releases.push(release);
  }
}

const callsTool: ModelResponse = {
  content: [{ type: 'tool_use', id: 'toolu_1', name: 'send', input: {} }],
  stopReason: 'tool_use',
  model: 'm',
  usage: NO_USAGE,
  costMicros: 0,
  attempts: 1,
  providerRequestId: null,
};

const silent: TurnLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
const observation = { logger: silent, traceparent: null, logsContent: () => false };

/** A model that calls the tool first and then ends its turn, and a tool of this effect. */
function parts(effect: Effect) {
  const ran: ToolCall[] = [];
  const responses = [
    callsTool,
    { ...callsTool, content: [{ type: 'text', text: 'Done.' }], stopReason: 'end_turn' },
  ];
  const model: Model = {
    call: async () => responses.shift() ?? callsTool,
    mostCost: () => ({ micros: 0, tokens: 0 }),
  };
  const tools: ToolRunner = {
    open: () => Promise.resolve([]),
    declare: () => [],
    planOf: () => Promise.resolve({ effect, onUnknown: 'tell_model', awaiting: null }),
    async run(_scope, call, context) {
      context.signal.throwIfAborted();
      ran.push(call);
      return { content: [{ type: 'text', text: 'Sent.' }], isError: false };
    },
    reconcile: async () => null,
    childOf: async (_scope, call) =>
      call.name === 'ask' ? { agentId: 'agent_2', input: [{ type: 'text', text: 'Hi' }] } : null,
    outputOfChild: (_call, child) => {
      const said = child !== null && 'output' in child ? textOf(child.output ?? []) : '';
      return { content: [{ type: 'text', text: said }], isError: said === '' };
    },
  };
  return { ran, parts: { ...observation, model, tools, outputs: { explain: async () => null } } };
}

const isModelStep = (advance: Advance): boolean => advance.step?.type === 'model_call';

test.each(['once', 'reconcile'] as const)(
  'a drain while the intent of a %s call is committed lets the call be made, and then releases the turn',
  async (effect) => {
    const lease = new TestLease();
    const scenario = parts(effect);
    lease.onAdvance = (advance) => {
      if (!isModelStep(advance)) return;
      lease.draining = true;
      lease.stop(new DrainError());
    };
    await runTurn(lease, scenario.parts);
    expect(scenario.ran).toHaveLength(1);
    const receipts = lease.advances.flatMap((advance) => advance.receipts ?? []);
    expect(receipts).toMatchObject([{ status: 'completed', output: [{ text: 'Sent.' }] }]);
    expect(lease.releases).toHaveLength(1);
  },
);

test('a drain releases a turn at once where its calls may be repeated', async () => {
  const lease = new TestLease();
  const scenario = parts('idempotent');
  lease.onAdvance = (advance) => {
    if (isModelStep(advance)) lease.draining = true;
  };
  await runTurn(lease, scenario.parts);
  expect(scenario.ran).toEqual([]);
  expect(lease.releases).toHaveLength(1);
});

test('the outcome of a call that was never sent is not unknown when its turn is cancelled', async () => {
  const lease = new TestLease();
  const scenario = parts('once');
  lease.onAdvance = (advance) => {
    if (isModelStep(advance)) lease.stop(new TurnCancelledError('turn_1'));
  };
  await runTurn(lease, scenario.parts);
  expect(scenario.ran).toEqual([]);
  expect(lease.advances.at(-1)).toMatchObject({
    outcome: { status: 'cancelled' },
    receipts: [{ status: 'completed', isError: true }],
  });
});

test('a turn that was joined while it ended goes on with the new input', async () => {
  const lease = new TestLease();
  const joined = { id: 'msg_2', role: 'user' as const, content: [{ type: 'text', text: 'And this?' }] };
  const requested: number[] = [];
  let pending = 1;
  lease.advance = async (advance) => {
    lease.advances.push(advance);
    if (advance.addPendingInputs === true) {
      pending = 0;
      return {
        status: 'in_progress',
        pendingInputs: 0,
        addedInputs: [joined],
        isBudgeted: false,
        othersMayRun: false,
      };
    }
    const ends = advance.outcome !== undefined && pending === 0;
    const status = ends ? 'completed' : 'in_progress';
    return { status, pendingInputs: pending, addedInputs: [], isBudgeted: false, othersMayRun: false };
  };
  const model: Model = {
    mostCost: () => ({ micros: 0, tokens: 0 }),
    async call({ request }) {
      requested.push(request.messages.length);
      return { ...callsTool, content: [{ type: 'text', text: 'Well.' }], stopReason: 'end_turn' };
    },
  };
  await runTurn(lease, { ...parts('read').parts, model });
  // Called with the input, and again with the response and what joined the turn.
  expect(requested).toEqual([1, 3]);
});

test('a turn whose tool cannot get its secrets is released, to be tried again, and does not fail', async () => {
  const lease = new TestLease();
  const scenario = parts('idempotent');
  const run = (): Promise<never> =>
    Promise.reject(
      new RetryableError('secret_unavailable', 'The secrets of send cannot be read now.', 600_000),
    );
  await runTurn(lease, { ...scenario.parts, tools: { ...scenario.parts.tools, run } });
  expect(lease.advances.filter((advance) => advance.outcome !== undefined)).toEqual([]);
  expect(lease.releases).toMatchObject([{ error: { code: 'secret_unavailable', retry_status: 'retrying' } }]);
  expect(lease.releases[0]?.delayMs).toBeGreaterThanOrEqual(15_000);
  expect(lease.releases[0]?.delayMs).toBeLessThanOrEqual(30_000);
});

/** A lease on a turn whose session is estimated at so many tokens, of 1,000 that the model sees. */
function longSession(estimate: number): TestLease {
  const lease = new TestLease();
  const [input] = lease.turn.messages;
  if (input === undefined) throw new Error('The turn has no input.');
  const half = 'x'.repeat((estimate / 2 - 20) * 3);
  const history = (['user', 'assistant'] as const).map((role, index) => ({
    ...input,
    id: `msg_of_${role}`,
    index,
    role,
    content: [{ type: 'text', text: half }],
  }));
  Object.assign(lease.turn, {
    sequence: 2,
    agent: agentConfigSchema.parse({ model: 'm', context_tokens: 1_000 }),
    history,
    messages: [{ ...input, turnSequence: 2 }],
  });
  return lease;
}

const stepTypes = ({ advances }: TestLease) => advances.flatMap(({ step }) => (step ? [step.type] : []));

test.each([
  ['far below the window', 700, 5_000, 0, ['model_call']],
  ['far above it', 1_500, 1, 0, ['compaction', 'model_call']],
  ['below it, by a count that is above', 900, 1_001, 1, ['compaction', 'model_call']],
  ['above it, by a count that fits', 1_200, 1_000, 1, ['model_call']],
  ['below it, without a count', 900, null, 1, ['model_call']],
  ['above it, without a count', 1_200, null, 1, ['compaction', 'model_call']],
])(
  'a session estimated %s is summarized as its tokens are counted, which is asked only near the window',
  async (_where, estimate, tokens, asked, steps) => {
    const lease = longSession(estimate);
    const counts: number[] = [];
    const model: Model = {
      mostCost: () => ({ micros: 0, tokens: 0 }),
      call: async () => ({
        ...callsTool,
        content: [{ type: 'text', text: 'Well.' }],
        stopReason: 'end_turn',
      }),
      async countTokens({ request }) {
        counts.push(request.messages.length);
        return tokens;
      },
    };
    await runTurn(lease, { ...parts('read').parts, model });
    expect(stepTypes(lease)).toEqual(steps);
    // Asked with the whole conversation, as the model would be shown it.
    expect(counts).toEqual(asked === 0 ? [] : [3]);
  },
);

test('a session that the API calls too long is summarized whatever is counted, and counted no more', async () => {
  const lease = longSession(900);
  let counts = 0;
  let calls = 0;
  const model: Model = {
    mostCost: () => ({ micros: 0, tokens: 0 }),
    async call() {
      calls += 1;
      const facts = { terminal: true, attempts: 1, providerRequestId: null };
      if (calls === 1) throw new ModelError('model_context_window_exceeded', 'prompt is too long', facts);
      return { ...callsTool, content: [{ type: 'text', text: 'Well.' }], stopReason: 'end_turn' };
    },
    async countTokens() {
      counts += 1;
      return 800;
    },
  };
  await runTurn(lease, { ...parts('read').parts, model });
  expect(stepTypes(lease)).toEqual(['compaction', 'model_call']);
  expect(counts).toBe(1);
});

const imageBlock = { type: 'image', source: { type: 'url', url: 'https://images.invalid/1.png' } };

/** A model that refuses every image that it is sent, one after another. */
const refusing: Model = {
  mostCost: () => ({ micros: 0, tokens: 0 }),
  async call({ request }) {
    const blocks = request.messages.flatMap(({ content }) => content);
    const image = blocks.find(({ type }) => type === 'image');
    if (image === undefined) {
      return { ...callsTool, content: [{ type: 'text', text: 'Well.' }], stopReason: 'end_turn' };
    }
    const path = blockPathOf(image);
    const refused = { paths: path === undefined ? [] : [path], likely: 'none' as const };
    const facts = { terminal: true, attempts: 1, providerRequestId: null, refused };
    throw new ModelError('model_rejected_request', 'Could not process image', facts);
  },
};

/** A turn in a session with so many images. */
function withImages(count: number): TestLease {
  const lease = new TestLease();
  const [input] = lease.turn.messages;
  if (input === undefined) throw new Error('The turn has no input.');
  const content = Array.from({ length: count }, () => imageBlock);
  lease.turn.history = [{ ...input, id: 'msg_0', turnSequence: 1, content }];
  lease.turn.sequence = 2;
  lease.turn.messages = [{ ...input, turnSequence: 2 }];
  return lease;
}

test('a turn goes on without the images of older turns that the model refuses, each marked once', async () => {
  const lease = withImages(5);
  await runTurn(lease, { ...parts('read').parts, model: refusing });
  const refusals = lease.advances.flatMap((advance) => advance.refusals ?? []);
  expect(refusals.map(({ blockIndex }) => blockIndex)).toEqual([0, 1, 2, 3, 4]);
  expect(lease.advances.at(-1)?.outcome).toMatchObject({ status: 'completed' });
});

test('a turn whose model refuses one block after another fails in the end, and what was refused stays marked', async () => {
  const lease = withImages(50);
  await runTurn(lease, { ...parts('read').parts, model: refusing });
  const refusals = lease.advances.flatMap((advance) => advance.refusals ?? []);
  expect(refusals).toHaveLength(21);
  expect(lease.advances.at(-1)?.outcome).toMatchObject({
    status: 'failed',
    error: { code: 'input_refused' },
  });
});

test('the usage of an interrupted request is recorded before more is reserved, and the call goes on', async () => {
  const lease = new TestLease();
  lease.turn.isBudgeted = true;
  const done: string[] = [];
  lease.reserve = async () => void done.push('reserved');
  lease.recordUsage = async () => {
    await setImmediate();
    done.push('recorded');
  };
  const model: Model = {
    mostCost: () => ({ micros: 0, tokens: 0 }),
    async call({ events, reserveAgain }) {
      events.emit('interrupted', interrupted);
      events.emit('restarted');
      await reserveAgain();
      return { ...callsTool, content: [{ type: 'text', text: 'Well.' }], stopReason: 'end_turn' };
    },
  };
  await runTurn(lease, { ...parts('read').parts, model });
  expect(done).toEqual(['reserved', 'recorded', 'reserved']);
  expect(lease.advances.flatMap(({ events }) => events.map(({ type }) => type))).toEqual([
    'step.restarted',
    'step.completed',
    'turn.completed',
  ]);
});

test('the text of a model call that a cancel interrupts is kept, once its usage is recorded', async () => {
  const lease = new TestLease();
  const model: Model = {
    mostCost: () => ({ micros: 0, tokens: 0 }),
    async call({ events }) {
      events.emit('text', 'void');
      events.emit('restarted');
      events.emit('text', 'Hel');
      events.emit('text', 'lo');
      lease.stop(new TurnCancelledError('turn_1'));
      events.emit('interrupted', interrupted);
      throw lease.signal.reason;
    },
  };
  await runTurn(lease, { ...parts('read').parts, model });
  expect(lease.usage).toEqual([interrupted]);
  expect(lease.advances.at(-1)).toMatchObject({
    messages: [{ content: [{ type: 'text', text: 'Hello' }], partial: true }],
    step: { id: 'step_1', isCostRecorded: true },
    outcome: { status: 'cancelled', partial: true },
  });
});

const interrupted: InterruptedCall = {
  id: 'step_1',
  model: 'm',
  usage: NO_USAGE,
  costMicros: 5,
  providerRequestId: null,
};

const asks: ModelResponse = {
  ...callsTool,
  content: [
    { type: 'tool_use', id: 'toolu_1', name: 'ask', input: {} },
    { type: 'tool_use', id: 'toolu_2', name: 'send', input: {} },
  ],
};

/** A model that asks an agent and calls a tool, and ends its turn once it has both results. */
function asking() {
  const scenario = parts('idempotent');
  const responses = [
    asks,
    { ...callsTool, content: [{ type: 'text', text: 'Done.' }], stopReason: 'end_turn' },
  ];
  const model: Model = { ...scenario.parts.model, call: async () => responses.shift() ?? callsTool };
  return { ...scenario, parts: { ...scenario.parts, model } };
}

function endChildren(lease: TestLease): void {
  for (const [call, child] of lease.children) {
    const output = [{ type: 'text', text: 'Asked.' }];
    lease.children.set(call, { ...child, status: 'completed', output });
  }
}

test('a turn is parked while its child turn is open, with the results of its other calls committed', async () => {
  const lease = new TestLease();
  const scenario = asking();
  await runTurn(lease, scenario.parts);
  expect(lease.parked).toBe(1);
  expect(scenario.ran.map(({ name }) => name)).toEqual(['send']);
  const receipts = lease.advances.flatMap((advance) => advance.receipts ?? []);
  expect(receipts).toMatchObject([{ output: [{ text: 'Sent.' }] }]);
  expect(lease.advances.some(({ outcome }) => outcome !== undefined)).toBe(false);
});

test('a turn whose child turns end as it is about to be parked goes on under the same lease', async () => {
  const lease = new TestLease();
  lease.onPark = () => endChildren(lease);
  await runTurn(lease, asking().parts);
  expect(lease.parked).toBe(0);
  expect(lease.advances.at(-1)?.outcome?.status).toBe('completed');
});

test('the next lease gets the result of a child turn, and calls nothing again', async () => {
  const first = new TestLease();
  await runTurn(first, asking().parts);
  endChildren(first);
  const [child] = first.children.values();
  const requested = first.advances.flatMap((advance) => advance.requestedCalls ?? []);
  const second = new TestLease();
  second.children.set(requested[0]?.id ?? '', child ?? raise());
  Object.assign(second.turn, {
    stepCount: 1,
    modelCallCount: 1,
    lastStopReason: 'tool_use',
    messages: [
      ...second.turn.messages,
      { ...second.turn.messages[0], role: 'assistant', content: asks.content },
    ],
    openToolCalls: [
      { ...requested[0], childTurnId: child?.id },
      { ...requested[1], status: 'completed', output: [{ type: 'text', text: 'Sent.' }] },
    ],
  });
  const scenario = parts('idempotent');
  scenario.parts.model.call = async () => ({
    ...callsTool,
    content: [{ type: 'text', text: 'Done.' }],
    stopReason: 'end_turn',
  });
  await runTurn(second, scenario.parts);
  expect(scenario.ran).toEqual([]);
  expect(second.advances.flatMap((advance) => advance.startedCalls ?? [])).toEqual([]);
  expect(second.advances[0]).toMatchObject({
    step: { type: 'tool_calls' },
    receipts: [{ output: [{ text: 'Asked.' }], isError: false }],
  });
});

function raise(): never {
  throw new Error('There is no child turn.');
}
