import type { Model, ToolRunner, TurnLease } from '@turnpike/agent';
import type { Lease } from '@turnpike/turns';
import type { CodeTool, CodeToolCall } from '@turnpike/worker';
import type { WorkerLife } from './crash-points.ts';

/** The lease as long as its worker lives; its signals say nothing to a worker that is dead. */
export function mortalLease(lease: Lease, life: WorkerLife): TurnLease {
  const [signal, endSignal] = [lease.signal, lease.endSignal].map((original) => {
    const controller = new AbortController();
    const pass = (): void => {
      if (!life.isDead) controller.abort(original.reason);
    };
    if (original.aborted) pass();
    else original.addEventListener('abort', pass, { once: true });
    return controller.signal;
  });
  return {
    turn: lease.turn,
    signal: signal ?? lease.signal,
    endSignal: endSignal ?? lease.endSignal,
    get draining() {
      return lease.draining;
    },
    get eventCount() {
      return lease.eventCount;
    },
    remainingMs: () => lease.remainingMs(),
    now: () => lease.now(),
    assertHeld: () => lease.assertHeld(),
    show: () => undefined,
    showProgress: () => undefined,
    advance: (advance) => life.around('commit', () => lease.advance(advance)),
    reserve: (most) => life.alive(() => lease.reserve(most)),
    startChildren: (requested) => life.around('commit', () => lease.startChildren(requested)),
    readChildren: (turnIds) => life.alive(() => lease.readChildren(turnIds)),
    park: () => life.around('commit', () => lease.park()),
    recordUsage: (call) => life.alive(() => lease.recordUsage(call)),
    release: (release) => life.around('commit', () => lease.release(release)),
  };
}

export function mortalModel(model: Model, life: WorkerLife, onCall: () => void): Model {
  return {
    mostCost: (request) => model.mostCost(request),
    countTokens: (count) => life.alive(async () => (await model.countTokens?.(count)) ?? null),
    call: (call) =>
      life.around('model call', () => {
        onCall();
        return model.call(call);
      }),
  };
}

export function mortalTools(tools: ToolRunner, life: WorkerLife): ToolRunner {
  return {
    open: (scope, context) => tools.open(scope, context),
    declare: (scope) => tools.declare(scope),
    planOf: (scope, call) => tools.planOf(scope, call),
    run: (scope, call, context) => life.around(`tool ${call.name}`, () => tools.run(scope, call, context)),
    childOf: (scope, call) => tools.childOf(scope, call),
    outputOfChild: (call, child) => tools.outputOfChild(call, child),
    reconcile: (scope, call, context) =>
      life.around(`reconcile ${call.name}`, () => tools.reconcile(scope, call, context)),
  };
}

/** The same tool; moments before and after each of its durable steps are passed, and what it throws is kept. */
export function mortalTool(tool: CodeTool, life: WorkerLife, thrown: unknown[]): CodeTool {
  const { code } = tool;
  return {
    ...tool,
    code: {
      ...code,
      async run(input, call) {
        try {
          return await code.run(input, withMortalSteps(call, life));
        } catch (error) {
          thrown.push(error);
          throw error;
        }
      },
    },
  };
}

function withMortalSteps(call: CodeToolCall, life: WorkerLife): CodeToolCall {
  const step: CodeToolCall['step'] = (name, settings, work) =>
    call.step(name, settings, (context) => life.around(`step ${name}`, () => work(context)));
  return Object.freeze({ ...call, step });
}
