import type { AgentConfig, Outcome } from '@turnpike/contract';
import { findOverflow, type Overflow } from './context-window.ts';
import { outcomeOf, stoppedBy } from './outcome.ts';
import type { Progress } from './progress.ts';

export type Move =
  | { type: 'run_tools' }
  | { type: 'take_inputs' }
  | { type: 'compact'; overflow: Overflow }
  | { type: 'call_model' }
  | { type: 'finish'; outcome: Outcome };

/** What comes next, by the journal alone: whoever asks, on whatever machine, gets the same answer. */
export function nextMove(progress: Progress, agent: AgentConfig): Move {
  if (progress.openCalls.length > 0) return { type: 'run_tools' };
  if (progress.pendingInputs > 0) return { type: 'take_inputs' };
  const last = progress.messages.at(-1);
  if (last?.role === 'assistant' && progress.lastStopReason !== 'pause_turn') {
    return { type: 'finish', outcome: outcomeOf(progress.lastStopReason ?? 'end_turn', progress.messages) };
  }
  if (progress.modelCallCount >= agent.max_steps) {
    return { type: 'finish', outcome: stoppedBy('max_steps', progress.messages) };
  }
  const overflow = findOverflow(progress, agent);
  return overflow === null ? { type: 'call_model' } : { type: 'compact', overflow };
}
