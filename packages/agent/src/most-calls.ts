import type { ToolPlan, ToolReceipt } from '@turnpike/contract';

/** Calls of one message that are made. More of them are no plan but an accident, and each costs what a call costs. */
const MOST_CALLS = 128;

/** How a call is treated that is not made: it acts on nothing. */
export const NOT_MADE: ToolPlan = { effect: 'read', onUnknown: 'tell_model', awaiting: null };

/** Whether the call at this position of its message is one too many. */
export function isBeyondMost(position: number): boolean {
  return position >= MOST_CALLS;
}

/** What the model is told of such a call. */
export function notMadeReceipt(id: string): ToolReceipt {
  const text = `Only the first ${MOST_CALLS} calls of a message are made. This one was not: nothing was done.`;
  return { id, status: 'completed', output: [{ type: 'text', text }], isError: true };
}
