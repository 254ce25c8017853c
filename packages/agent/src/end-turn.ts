import { NO_USAGE, newId } from '@turnpike/contract';
import type { CompletedStep, ContentBlock, Message, NewMessage, Outcome, Refusal } from '@turnpike/contract';
import { closeRound } from './close-round.ts';
import type { TurnLease } from './ports.ts';
import { commit, type PartialResponse, type Progress } from './progress.ts';
import { stepCompleted, toolCompleted, turnEnded } from './turn-events.ts';

/**
 * Ends the turn, and keeps what was under way: a round of calls is closed, with `unanswered` for a call that has no
 * answer, so that the conversation stays valid; text that the model was stopped in is kept as a partial answer.
 */
export async function endTurn(
  lease: TurnLease,
  progress: Progress,
  ending: { outcomeOf: (messages: readonly Message[]) => Outcome; unanswered: string; refusals?: Refusal[] },
): Promise<void> {
  const { outcomeOf, unanswered, refusals = [] } = ending;
  if (progress.openCalls.length > 0) {
    const { step, messages, receipts } = closeRound(progress, 0, unanswered);
    const outcome = outcomeOf(progress.messages);
    const told = [
      ...receipts.map(toolCompleted),
      stepCompleted(progress.stepCount, step),
      turnEnded(outcome),
    ];
    await commit(lease, progress, { step, messages, receipts, refusals, outcome, events: told });
    return;
  }
  if (progress.cut === null) {
    const outcome = outcomeOf(progress.messages);
    await commit(lease, progress, { refusals, outcome, events: [turnEnded(outcome)] });
    return;
  }
  const { step, message } = partialAnswer(progress.cut);
  const outcome: Outcome = { ...outcomeOf([...progress.messages, message]), partial: true };
  await commit(lease, progress, {
    step,
    messages: [message],
    refusals,
    outcome,
    events: [stepCompleted(progress.stepCount, step), turnEnded(outcome)],
  });
}

/** Only text is kept: a call without its end is none, and a thought without its signature is refused later. */
function partialAnswer({ text, cost, attempts, durationMs }: PartialResponse): {
  step: CompletedStep;
  message: NewMessage;
} {
  const content: ContentBlock[] = [{ type: 'text', text }];
  return {
    message: { role: 'assistant', content, partial: true },
    step: {
      id: cost?.id ?? newId('step'),
      type: 'model_call',
      model: cost?.model ?? null,
      stopReason: null,
      usage: cost?.usage ?? NO_USAGE,
      costMicros: cost?.costMicros ?? 0,
      attempts,
      providerRequestId: cost?.providerRequestId ?? null,
      isCostRecorded: true,
      durationMs,
    },
  };
}
