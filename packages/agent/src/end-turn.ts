import { NO_USAGE, newId } from '@turnpike/contract';
import type { CompletedStep, ContentBlock, Message, NewMessage, Outcome, Refusal } from '@turnpike/contract';
import { closeRound } from './close-round.ts';
import { commit } from './commit.ts';
import type { PartialResponse } from './progress.ts';
import { stepCompleted, toolCompleted, turnEnded } from './turn-events.ts';
import type { TurnRun } from './turn-run.ts';

export interface Ending {
  outcomeOf: (messages: readonly Message[]) => Outcome;
  /** What the model is told of tool calls that have no result. */
  withoutResult: string;
  refusals?: Refusal[];
}

/**
 * Ends the turn, and keeps what was in progress: a round of calls is closed, so that the conversation stays valid;
 * text of a model call that was interrupted is kept as a partial response.
 */
export async function endTurn(run: TurnRun, ending: Ending): Promise<void> {
  const { progress } = run;
  const { outcomeOf, withoutResult, refusals = [] } = ending;
  if (progress.openCalls.length > 0) {
    const { step, messages, receipts } = closeRound(progress, 0, withoutResult);
    const outcome = outcomeOf(progress.messages);
    const events = [
      ...receipts.map(toolCompleted),
      stepCompleted(progress.stepCount, step),
      turnEnded(outcome),
    ];
    await commit(run, { step, messages, receipts, refusals, outcome, events });
    return;
  }
  if (progress.partial === null) {
    const outcome = outcomeOf(progress.messages);
    await commit(run, { refusals, outcome, events: [turnEnded(outcome)] });
    return;
  }
  const { step, message } = partialStep(progress.partial);
  const outcome: Outcome = { ...outcomeOf([...progress.messages, message]), partial: true };
  const events = [stepCompleted(progress.stepCount, step), turnEnded(outcome)];
  await commit(run, { step, messages: [message], refusals, outcome, events });
}

/** Only text is kept: a truncated call cannot be made, and a thinking block without its signature is refused later. */
function partialStep({ text, usage: call, attempts, durationMs }: PartialResponse): {
  step: CompletedStep;
  message: NewMessage;
} {
  const content: ContentBlock[] = [{ type: 'text', text }];
  return {
    message: { role: 'assistant', content, partial: true },
    step: {
      id: call?.id ?? newId('step'),
      type: 'model_call',
      model: call?.model ?? null,
      stopReason: null,
      usage: call?.usage ?? NO_USAGE,
      costMicros: call?.costMicros ?? 0,
      attempts,
      providerRequestId: call?.providerRequestId ?? null,
      isCostRecorded: true,
      durationMs,
    },
  };
}
