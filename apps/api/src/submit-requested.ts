import { submitTurn, type RequestedTurn, type SubmitResult } from '@turnpike/turns';
import { checkOverrides } from './check-overrides.ts';
import { findReplay } from './find-replay.ts';
import type { Call, KeyedRequest, Services } from './route.ts';

/**
 * Submits a turn for a request, once its overrides are found to be allowed. Throws as `checkOverrides` and
 * `submitTurn` do.
 */
export async function submitRequested(
  services: Services,
  asker: Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'limits' | 'may'>,
  requested: RequestedTurn,
  { idempotency, traceparent }: KeyedRequest,
): Promise<SubmitResult> {
  const { tenantId, limits } = asker;
  let agentVersion: number | null;
  try {
    agentVersion = await checkOverrides(asker, services, requested);
  } catch (error) {
    // A request that was executed while the agent allowed it still gets its response.
    const replay = idempotency && (await findReplay(services.database.pool, idempotency));
    if (replay === null) throw error;
    return { response: replay, turn: null };
  }
  const command = { tenantId, limits, requested, agentVersion, idempotency, traceparent };
  const result = await submitTurn(services, command);
  if (result.turn?.status === 'queued') services.waiters.fresh.add(tenantId, result.turn.id);
  return result;
}
