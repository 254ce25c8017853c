import { newId, type Advance, type AdvanceResult } from '@turnpike/contract';
import { addMessages, addStep } from './progress.ts';
import type { TurnRun } from './turn-run.ts';

/** Commits, and keeps the progress current: the step, the messages, and the inputs that joined the turn. */
export async function commit(
  { lease, progress }: Pick<TurnRun, 'lease' | 'progress'>,
  advance: Advance,
): Promise<AdvanceResult> {
  const messages = (advance.messages ?? []).map((message) => ({ id: newId('message'), ...message }));
  const result = await lease.advance({ ...advance, messages });
  if (advance.step !== undefined) addStep(progress, advance.step);
  addMessages(progress, [...messages, ...result.addedInputs]);
  progress.pendingInputs = result.pendingInputs;
  progress.isBudgeted = result.isBudgeted;
  return result;
}
