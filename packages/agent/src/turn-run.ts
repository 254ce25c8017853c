import type { TurnContext, TurnLogger } from '@turnpike/contract';
import type { Model, OutputValidator, ToolRunner, TurnLease } from './ports.ts';
import { progressOf, type Progress } from './progress.ts';

/** What a turn is run with, beside its lease. */
export interface TurnParts extends Pick<TurnContext, 'traceparent' | 'logsContent'> {
  model: Model;
  tools: ToolRunner;
  outputs: OutputValidator;
  /** Its every line names the turn. */
  logger: TurnLogger;
}

/** A turn that is being run under one lease: all that its moves work with. */
export interface TurnRun {
  readonly lease: TurnLease;
  readonly model: Model;
  readonly tools: ToolRunner;
  readonly outputs: OutputValidator;
  /** What its calls are given. A tool call that outlasts a drain has another signal. */
  readonly context: TurnContext;
  /** Kept current as the run writes to the journal. */
  readonly progress: Progress;
}

export function startRun(lease: TurnLease, { model, tools, outputs, ...parts }: TurnParts): TurnRun {
  const { id: turnId, tenantId, sessionId, epoch } = lease.turn;
  const context: TurnContext = {
    tenantId,
    turnId,
    sessionId,
    epoch,
    signal: lease.signal,
    logger: parts.logger,
    traceparent: parts.traceparent,
    logsContent: () => parts.logsContent(),
    assertHeld: () => lease.assertHeld(),
    now: () => lease.now(),
    remainingMs: () => lease.remainingMs(),
  };
  return { lease, model, tools, outputs, context, progress: progressOf(lease.turn) };
}
