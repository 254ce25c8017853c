import { expect, test } from '@jest/globals';
import {
  agentConfigSchema,
  DrainError,
  ModelError,
  NO_USAGE,
  blockPathOf,
  RetryableError,
  TurnCancelledError,
  type Advance,
  type AdvanceResult,
  type ClaimedTurn,
  type InterruptedCall,
  type Effect,
  type ModelResponse,
  type Release,
  type ToolCall,
} from '@turnpike/contract';
import type { Model, ToolRunner, TurnLease } from './ports.ts';
import { runTurn } from './run-turn.ts';

/** A lease that keeps what is written, and lets the test act in the middle of a commit. */
class TestLease implements TurnLease {
  readonly advances: Advance[] = [];
  readonly releases: Release[] = [];
  readonly booked: InterruptedCall[] = [];
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
    epoch: 1,
    attempts: 1,
    status: 'in_progress',
    agent: agentConfigSchema.parse({ model: 'm' }),
    tools: [],
    modelAccess: { keys: [], baseUrl: null, auth: 'x-api-key', operatorKey: true },
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
    return { status, pendingInputs: 0, addedInputs: [], isBudgeted: false };
  }
  async reserve(): Promise<void> {}
  async recordUsage(cut: InterruptedCall): Promise<void> {
    this.booked.push(cut);
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

/** A model that calls the tool first and then answers, and a tool of this effect. */
function parts(effect: Effect) {
  const ran: ToolCall[] = [];
  const answers = [
    callsTool,
    { ...callsTool, content: [{ type: 'text', text: 'Done.' }], stopReason: 'end_turn' },
  ];
  const model: Model = {
    call: async () => answers.shift() ?? callsTool,
    mostCost: () => ({ micros: 0, tokens: 0 }),
  };
  const tools: ToolRunner = {
    declare: () => [],
    planOf: () => Promise.resolve({ effect, onUnknown: 'tell_model', awaiting: null }),
    async run(_scope, call, context) {
      context.signal.throwIfAborted();
      ran.push(call);
      return { content: [{ type: 'text', text: 'Sent.' }], isError: false };
    },
    reconcile: async () => null,
  };
  return { ran, parts: { model, tools } };
}

const isModelStep = (advance: Advance): boolean => advance.step?.type === 'model_call';

test.each(['once', 'reconcile'] as const)(
  'a drain that comes while the intent of a %s call is committed lets the call be made, and then gives the turn back',
  async (effect) => {
    const lease = new TestLease();
    const trial = parts(effect);
    lease.onAdvance = (advance) => {
      if (!isModelStep(advance)) return;
      lease.draining = true;
      lease.stop(new DrainError());
    };
    await runTurn(lease, trial.parts);
    expect(trial.ran).toHaveLength(1);
    const receipts = lease.advances.flatMap((advance) => advance.receipts ?? []);
    expect(receipts).toMatchObject([{ status: 'completed', output: [{ text: 'Sent.' }] }]);
    expect(lease.releases).toHaveLength(1);
  },
);

test('a drain leaves what may be repeated to the next worker, at once', async () => {
  const lease = new TestLease();
  const trial = parts('idempotent');
  lease.onAdvance = (advance) => {
    if (isModelStep(advance)) lease.draining = true;
  };
  await runTurn(lease, trial.parts);
  expect(trial.ran).toEqual([]);
  expect(lease.releases).toHaveLength(1);
});

test('a call that never left is not called unknown when its turn is cancelled', async () => {
  const lease = new TestLease();
  const trial = parts('once');
  lease.onAdvance = (advance) => {
    if (isModelStep(advance)) lease.stop(new TurnCancelledError('turn_1'));
  };
  await runTurn(lease, trial.parts);
  expect(trial.ran).toEqual([]);
  expect(lease.advances.at(-1)).toMatchObject({
    outcome: { status: 'cancelled' },
    receipts: [{ status: 'completed', isError: true }],
  });
});

test('a turn that was joined while it ended goes on with what joined it', async () => {
  const lease = new TestLease();
  const joined = { id: 'msg_2', role: 'user' as const, content: [{ type: 'text', text: 'And this?' }] };
  const asked: number[] = [];
  let pending = 1;
  lease.advance = async (advance) => {
    lease.advances.push(advance);
    if (advance.addPendingInputs === true) {
      pending = 0;
      return { status: 'in_progress', pendingInputs: 0, addedInputs: [joined], isBudgeted: false };
    }
    const ends = advance.outcome !== undefined && pending === 0;
    const status = ends ? 'completed' : 'in_progress';
    return { status, pendingInputs: pending, addedInputs: [], isBudgeted: false };
  };
  const model: Model = {
    mostCost: () => ({ micros: 0, tokens: 0 }),
    async call(request) {
      asked.push(request.messages.length);
      return { ...callsTool, content: [{ type: 'text', text: 'Well.' }], stopReason: 'end_turn' };
    },
  };
  await runTurn(lease, { ...parts('read').parts, model });
  // Asked with the input, and again with the answer and what joined it.
  expect(asked).toEqual([1, 3]);
});

test('a turn whose tool waits for something of ours is given back, to come again, and does not fail', async () => {
  const lease = new TestLease();
  const trial = parts('idempotent');
  const run = (): Promise<never> =>
    Promise.reject(
      new RetryableError('secret_unavailable', 'The secrets of send cannot be read now.', 600_000),
    );
  await runTurn(lease, { ...trial.parts, tools: { ...trial.parts.tools, run } });
  expect(lease.advances.filter((advance) => advance.outcome !== undefined)).toEqual([]);
  expect(lease.releases).toMatchObject([{ error: { code: 'secret_unavailable', retry_status: 'retrying' } }]);
  expect(lease.releases[0]?.delayMs).toBeGreaterThanOrEqual(15_000);
  expect(lease.releases[0]?.delayMs).toBeLessThanOrEqual(30_000);
});

const image = { type: 'image', source: { type: 'url', url: 'https://pictures.invalid/1.png' } };

/** A model that refuses every picture that it is sent, one after another. */
const refusing: Model = {
  mostCost: () => ({ micros: 0, tokens: 0 }),
  async call(request) {
    const blocks = request.messages.flatMap(({ content }) => content);
    const picture = blocks.find(({ type }) => type === 'image');
    if (picture === undefined) {
      return { ...callsTool, content: [{ type: 'text', text: 'Well.' }], stopReason: 'end_turn' };
    }
    const path = blockPathOf(picture);
    const refused = { paths: path === undefined ? [] : [path], likely: 'none' as const };
    const facts = { terminal: true, attempts: 1, providerRequestId: null, refused };
    throw new ModelError('model_rejected_request', 'Could not process image', facts);
  },
};

/** A turn in a session with so many pictures. */
function withPictures(count: number): TestLease {
  const lease = new TestLease();
  const [input] = lease.turn.messages;
  if (input === undefined) throw new Error('The turn has no input.');
  const content = Array.from({ length: count }, () => image);
  lease.turn.history = [{ ...input, id: 'msg_0', turnSequence: 1, content }];
  lease.turn.sequence = 2;
  lease.turn.messages = [{ ...input, turnSequence: 2 }];
  return lease;
}

test('a turn does without the pictures of older turns that the model refuses, each marked once', async () => {
  const lease = withPictures(5);
  await runTurn(lease, { ...parts('read').parts, model: refusing });
  const refusals = lease.advances.flatMap((advance) => advance.refusals ?? []);
  expect(refusals.map(({ blockIndex }) => blockIndex)).toEqual([0, 1, 2, 3, 4]);
  expect(lease.advances.at(-1)?.outcome).toMatchObject({ status: 'completed' });
});

test('a turn whose model refuses one block after another fails in the end, and what was refused stays marked', async () => {
  const lease = withPictures(50);
  await runTurn(lease, { ...parts('read').parts, model: refusing });
  const refusals = lease.advances.flatMap((advance) => advance.refusals ?? []);
  expect(refusals).toHaveLength(21);
  expect(lease.advances.at(-1)?.outcome).toMatchObject({
    status: 'failed',
    error: { code: 'input_refused' },
  });
});
