import { countInvalidRounds, type AgentConfig, type Outcome, type TurnError } from '@turnpike/contract';
import { findOverflow, type Overflow } from './context-window.ts';
import { failedWith, outcomeOf, stoppedBy } from './outcome.ts';
import type { Progress } from './progress.ts';

export type Move =
  | { type: 'run_tools' }
  | { type: 'take_inputs' }
  | { type: 'compact'; overflow: Overflow }
  | { type: 'call_model' }
  | { type: 'finish'; outcome: Outcome };

/** A model that paused this often in a row, and neither answered nor called a tool meanwhile, goes nowhere. */
const MOST_PAUSES = 5;

/** A model that was told this often in a row that none of its calls can be made does not listen. */
const MOST_FAULTY_ROUNDS = 5;

const UNUSABLE_CALLS: TurnError = {
  code: 'model_unusable_calls',
  message:
    'The model went on to ask for calls that cannot be made, though it was told what is wrong with them.',
  retry_status: 'exhausted',
  request_id: null,
};

/** What comes next, by the journal alone: whoever asks, on whatever machine, gets the same answer. */
export function nextMove(progress: Progress, agent: AgentConfig): Move {
  if (progress.openCalls.length > 0) return { type: 'run_tools' };
  if (progress.pendingInputs > 0) return { type: 'take_inputs' };
  const last = progress.messages.at(-1);
  if (last?.role === 'assistant' && progress.lastStopReason !== 'pause_turn') {
    return { type: 'finish', outcome: outcomeOf(progress.lastStopReason ?? 'end_turn', progress.messages) };
  }
  if (progress.pauseCount >= MOST_PAUSES) {
    return { type: 'finish', outcome: stoppedBy('pause_turn', progress.messages) };
  }
  if (countInvalidRounds(progress.messages) >= MOST_FAULTY_ROUNDS) {
    return { type: 'finish', outcome: failedWith(UNUSABLE_CALLS, progress.messages) };
  }
  if (progress.modelCallCount >= agent.max_steps) {
    return { type: 'finish', outcome: stoppedBy('max_steps', progress.messages) };
  }
  const overflow = findOverflow(progress, agent);
  return overflow === null ? { type: 'call_model' } : { type: 'compact', overflow };
}
