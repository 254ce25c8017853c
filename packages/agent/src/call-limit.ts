import type { ToolPlan, ToolReceipt } from '@turnpike/contract';

/** Calls of one message that are made. More of them are a mistake of the model, and each costs what a call costs. */
const MAX_CALLS = 128;

/** The plan of a call that is not made: it acts on nothing. */
export const SKIPPED_PLAN: ToolPlan = { effect: 'read', onUnknown: 'tell_model', awaiting: null };

/** Whether the call at this position in its message is over the limit. */
export function isOverCallLimit(position: number): boolean {
  return position >= MAX_CALLS;
}

/** The result of such a call. */
export function skippedReceipt(id: string): ToolReceipt {
  const text = `Only the first ${MAX_CALLS} calls of a message are made. This one was not: nothing was done.`;
  return { id, status: 'completed', output: [{ type: 'text', text }], isError: true };
}
