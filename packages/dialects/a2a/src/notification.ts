import type { PushCredentials, RequiredAction } from '@turnpike/contract';
import { statusOf, type ToldTurn } from './task.ts';
import type { TaskStatus } from './wire.ts';

/** Bytes of a body: what the webhooks of the API keep to as well. */
const MAX_BYTES = 20_000;

/**
 * A push notification: what a turn has come to, as the update of a task's status. What the task has produced is read
 * from the task, and so is what makes a notification too long: the inputs of calls first, then the whole message.
 */
export function composeNotification(
  turn: ToldTurn,
  { token, authorization }: PushCredentials,
): { headers: Record<string, string>; body: string } {
  return {
    headers: {
      'content-type': 'application/a2a+json',
      ...(authorization === null ? {} : { authorization }),
      ...(token === null ? {} : { 'x-a2a-notification-token': token }),
    },
    body: bodyOf(turn),
  };
}

function bodyOf(turn: ToldTurn): string {
  const compose = (status: TaskStatus): string =>
    JSON.stringify({ statusUpdate: { taskId: turn.id, contextId: turn.session_id, status } });
  const fits = (body: string): boolean => Buffer.byteLength(body) <= MAX_BYTES;
  const whole = compose(statusOf(turn));
  if (fits(whole)) return whole;
  const action = turn.required_action;
  const short = compose(statusOf({ ...turn, required_action: action && withoutInputs(action) }));
  if (fits(short)) return short;
  const { state, timestamp } = statusOf(turn);
  return compose({ state, timestamp });
}

function withoutInputs(action: RequiredAction): RequiredAction {
  const calls = action.tool_calls.map((call) => ({ ...call, input: null, input_text: null }));
  return { ...action, tool_calls: calls };
}
