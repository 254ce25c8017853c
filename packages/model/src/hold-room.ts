import type { CallState } from './call-state.ts';
import type { ModelKey } from './key-ring.ts';
import { bytesInMemory } from './post-body.ts';
import { isLarge } from './request-memory.ts';

const NO_ROOM = 'Too many large requests are being sent now.';
/** For room; then the turn is parked, and holds no worker. */
const MOST_ROOM_WAIT_MS = 30_000;

/**
 * Room for a large request, and what gives it back. To be called before the request is admitted by the circuit breaker
 * of its key: whoever waits here takes no slot of that key, and is not its probe. Throws a ModelError that parks the
 * turn, its attempts kept, where there is no room for long, and the signal's reason.
 */
export async function holdRoom(state: CallState, key: ModelKey): Promise<() => void> {
  const { requests } = state.parts;
  const { signal, tenantId } = state.turn;
  const bytes = bytesInMemory(key, state.built.body);
  if (!isLarge(bytes)) return () => undefined;
  const leftMs = Math.max(0, Math.floor(state.stepEnd - performance.now()));
  const limit = AbortSignal.any([signal, AbortSignal.timeout(Math.min(MOST_ROOM_WAIT_MS, leftMs))]);
  return requests.hold(tenantId, bytes, limit).catch((error: unknown) => {
    signal.throwIfAborted();
    if (!limit.aborted) throw error;
    throw state.parked('model_busy', NO_ROOM, state.parts.limits.backoffBaseMs);
  });
}
