import { isToolUIPart, type UIMessage } from 'ai';

const ENDED = ['completed', 'failed', 'cancelled', 'incomplete'];

/** The status of the turn whose message this is, as its stream or the history said last; null before they said one. */
export function statusOfTurn(message: UIMessage | undefined): string | null {
  const { metadata } = message ?? {};
  if (typeof metadata !== 'object' || metadata === null || !('status' in metadata)) return null;
  return typeof metadata.status === 'string' ? metadata.status : null;
}

/** Whether the turn waits for somebody. */
export function isWaiting(message: UIMessage | undefined): boolean {
  return (message?.parts ?? []).some(
    (part) =>
      (isToolUIPart(part) &&
        (part.state === 'approval-requested' ||
          (part.state === 'input-available' && part.providerExecuted !== true))) ||
      isOpenAction(part),
  );
}

/** A question, or an outcome that only a person can find out: no part of a message can respond to these. */
export function isOpenAction(part: UIMessage['parts'][number]): boolean {
  if (part.type !== 'data-action' || typeof part.data !== 'object' || part.data === null) return false;
  return !('settled' in part.data);
}

/** A message of the assistant whose end the page does not have. */
export function isUnfinished(message: UIMessage | undefined): boolean {
  if (message?.role !== 'assistant') return false;
  return !ENDED.includes(statusOfTurn(message) ?? '') && !isWaiting(message);
}
