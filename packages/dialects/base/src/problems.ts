import type { ProblemCode } from '@turnpike/contract';

/** What a route that submits or answers a turn may respond with. */
export const SUBMIT_PROBLEMS = [
  'not_found',
  'agent_deleted',
  'turn_not_ended',
  'session_limit',
  'session_too_large',
  'queue_full',
  'budget_exceeded',
  'metadata_too_large',
  'override_not_allowed',
  'no_action_required',
  'tool_call_settled',
  'file_not_ready',
  'file_refused',
  'result_deleted',
] as const satisfies readonly ProblemCode[];

/** What a route whose response is a stream may respond with. */
export const STREAM_PROBLEMS = [
  'not_found',
  'cursor_expired',
  'too_many_streams',
] as const satisfies readonly ProblemCode[];
