/** What a person can do about a problem, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  agent_changed: 'Somebody saved a newer version. Load the agent again and repeat your change.',
  budget_exceeded: 'Raise the budget under Usage, or wait for the next period.',
  cursor_expired: 'The events are older than their retention. The steps of the turn are still there.',
  insufficient_scope: 'Sign in with a key that has this scope.',
  no_action_required: 'Somebody else has answered by now, or the turn has ended.',
  not_resumable: 'Only a turn that stopped at a limit is resumed. Make it again instead.',
  queue_full: 'The tenant has as many open turns as it may have. Wait for some to end.',
  rate_limited: 'The tenant sends too many requests. It goes on by itself in a moment.',
  rerun_not_confirmed: 'A tool call changed since the preview. Look at the new preview.',
  session_busy: 'Another turn of the session is open. Wait for its end or cancel it.',
  tool_call_settled: 'Somebody else has answered this call by now.',
  turn_not_ended: 'Wait for the end of the turn, or cancel it.',
  webhook_endpoint_disabled: 'Enable the endpoint first.',
};

export function adviceFor(code: string): string | null {
  return ADVICE[code] ?? null;
}
