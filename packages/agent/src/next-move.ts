import { countInvalidRounds, type AgentConfig, type Outcome, type TurnError } from '@turnpike/contract';
import { failedWith, outcomeOf, stoppedBy } from './outcome.ts';
import type { Progress } from './progress.ts';

export type Move =
  | { type: 'run_tools' }
  | { type: 'add_inputs' }
  | { type: 'call_model' }
  | { type: 'finish'; outcome: Outcome };

/** A model that paused this often in a row, without a response or a tool call in between, makes no progress. */
const MAX_PAUSES = 5;

/** A model that asked this often in a row for calls none of which can be made will go on to. */
const MAX_INVALID_ROUNDS = 5;

const UNUSABLE_CALLS: TurnError = {
  code: 'model_unusable_calls',
  message:
    'The model keeps asking for calls that cannot be made, though it was told what is wrong with them.',
  retry_status: 'exhausted',
  request_id: null,
};

/** What comes next, by the journal alone: every worker comes to the same result. */
export function nextMove(progress: Progress, agent: AgentConfig): Move {
  if (progress.openCalls.length > 0) return { type: 'run_tools' };
  if (progress.pendingInputs > 0) return { type: 'add_inputs' };
  const last = progress.messages.at(-1);
  if (last?.role === 'assistant' && progress.lastStopReason !== 'pause_turn') {
    return { type: 'finish', outcome: outcomeOf(progress.lastStopReason ?? 'end_turn', progress.messages) };
  }
  if (progress.pauseCount >= MAX_PAUSES) {
    return { type: 'finish', outcome: stoppedBy('pause_turn', progress.messages) };
  }
  if (countInvalidRounds(progress.messages) >= MAX_INVALID_ROUNDS) {
    return { type: 'finish', outcome: failedWith(UNUSABLE_CALLS, progress.messages) };
  }
  if (progress.modelCallCount >= agent.max_steps) {
    return { type: 'finish', outcome: stoppedBy('max_steps', progress.messages) };
  }
  return { type: 'call_model' };
}
