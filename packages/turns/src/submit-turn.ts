import { acceptedResponse, type Turn } from '@turnpike/contract';
import type { StoredResponse } from '@turnpike/store';
import { acceptTurn } from './accept-turn.ts';
import { announceCancelled } from './cancel-turn.ts';
import { handOver } from './hand-over.ts';
import type { SubmitCommand, SubmitParts } from './submit-command.ts';

export interface SubmitResult {
  response: StoredResponse;
  /** Null where the response is a replay, and nothing was executed. */
  turn: Turn | null;
}

/**
 * Accepts a turn: once it resolves, the turn is committed, and will end. What it does to a busy session is its
 * `multitask_strategy`; with `steer` it becomes a message of the turn that runs, and that turn is the result. Of the
 * requests with one idempotency key at most one is executed, and the others get its response again.
 * Throws `ProblemError`: `not_found`, `agent_deleted`, `session_busy`, `not_resumable`, `queue_full`, `session_limit`,
 * `budget_exceeded`, `invalid_request` for a version that the agent does not have, and those of `runOnce`.
 */
export async function submitTurn(parts: SubmitParts, command: SubmitCommand): Promise<SubmitResult> {
  const { tenantId } = command;
  const { dispatcher, backplane } = parts;
  const slot = backplane.handOvers.take();
  const worker = slot === null ? null : { id: slot.workerId, leaseMs: slot.leaseMs };
  const result = await acceptTurn(parts, command, { takesJob: true, worker }).catch((error: unknown) => {
    slot?.giveBack();
    throw error;
  });
  if ('replay' in result || !result.done.isHandedOver) slot?.giveBack();
  if ('replay' in result) return { response: result.replay, turn: null };
  const { turn, isHead, job, isHandedOver, recordedBody, cancelled } = result.done;
  // Where one of these is lost, the reconciler finds the turn.
  if (isHandedOver && slot !== null) void handOver(parts, slot, turn.id);
  else if (job !== null) dispatcher.dispatched(job);
  else if (isHead) dispatcher.added(tenantId);
  backplane.live.changed({ sessionId: turn.session_id, turnId: turn.id, eventCount: null });
  announceCancelled(parts, tenantId, turn, cancelled);
  return { response: acceptedResponse(turn, recordedBody ?? undefined), turn };
}
