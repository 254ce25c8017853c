import type { EffectServer } from './effect-server.ts';
import type { StoredCall, Truth } from './read-truth.ts';
import type { PlannedTurn } from './workload.ts';

/** Postgres and the tool server read the same clock, and each of them rounds it in its own way. */
const ROUNDING_MS = 5;

/** What tools were made to do is what the journal says, once for each call. */
export function checkEffects(truth: Truth, planned: readonly PlannedTurn[], server: EffectServer): string[] {
  const markers = new Map(planned.map((turn) => [turn.id, turn.marker]));
  const stored = new Map(truth.turns.flatMap((turn) => turn.toolCalls).map((call) => [call.id, call]));
  return [
    ...server.arrivals
      .filter((arrival) => !stored.has(arrival.key))
      .map((arrival) => `${arrival.key} was sent and is not in the journal`),
    ...truth.turns.flatMap((turn) =>
      turn.toolCalls.flatMap((call) => checkCall(call, String(markers.get(turn.id)), server)),
    ),
  ];
}

function checkCall(call: StoredCall, marker: string, server: EffectServer): string[] {
  const arrivals = server.arrivals.filter((arrival) => arrival.key === call.id);
  const acts = server.acts(call.effect, marker).length;
  const violations: string[] = [];
  const mayRepeat = call.effect === 'read' || call.effect === 'idempotent';
  if (!mayRepeat && arrivals.length > 1) violations.push(`was sent ${arrivals.length} times`);
  if (acts > 1) violations.push(`happened ${acts} times`);
  // An error says that nothing, or not all, was done; an unknown outcome says neither.
  const isDone = call.status === 'completed' && !call.isError;
  // Where the receipt is no response, what was sent before may arrive after it.
  const late = arrivals.filter((arrival) => arrival.at > (call.completedAt ?? 0) + ROUNDING_MS);
  if (isDone && late.length > 0) violations.push('was sent again after its receipt');
  if (isDone && arrivals.length === 0) violations.push('is completed and never arrived');
  if (isDone && call.effect !== 'read' && acts === 0) violations.push('is completed and nothing happened');
  if (call.status === 'unknown' && mayRepeat) violations.push('has an unknown outcome');
  return violations.map((violation) => `the ${call.effect} call ${call.id} of ${marker} ${violation}`);
}
