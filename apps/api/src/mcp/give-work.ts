import { idSchema, ProblemError, startTurnSchema, submitTurnSchema } from '@turnpike/contract';
import { readSession, type IdempotentRequest } from '@turnpike/store';
import type { RequestedTurn } from '@turnpike/turns';
import { z } from 'zod';
import { fingerprintOf, parseIdempotencyKey } from '../idempotency-key.ts';
import type { Services } from '../route.ts';
import { submitRequested } from '../submit-requested.ts';
import type { McpRequester } from './mcp-requester.ts';

/** What a host asks of an agent. */
export interface Work {
  input: string;
  session_id?: string | undefined;
  idempotency_key?: string | undefined;
}

const acceptedSchema = z.object({ id: idSchema('turn') });

/**
 * Submits a turn as the API does, and returns its id: of the calls with one idempotency key, in the tool's input or in
 * the request's header, the first one's. Throws what `submitRequested` throws, and `not_found` for a session of another
 * agent.
 */
export async function giveWork(
  services: Services,
  { tenantId, limits, may, idempotencyKey, traceparent }: McpRequester,
  agentId: string,
  { input, session_id: sessionId, idempotency_key: givenKey }: Work,
): Promise<string> {
  if (sessionId !== undefined) await checkSession(services, tenantId, sessionId, agentId);
  const requested: RequestedTurn =
    sessionId === undefined
      ? { of: 'new_session', submission: startTurnSchema.parse({ agent_id: agentId, input }) }
      : { of: 'session', sessionId, submission: submitTurnSchema.parse({ input }) };
  const key = givenKey ?? idempotencyKey;
  const idempotency: IdempotentRequest | null =
    key === null
      ? null
      : {
          tenantId,
          route: 'MCP tools/call',
          key: parseIdempotencyKey(key),
          fingerprint: fingerprintOf({ agentId, input, sessionId: sessionId ?? null }),
        };
  const asker = { sql: services.database.pool, tenantId, limits, may };
  const { turn, response } = await submitRequested(services, asker, requested, { idempotency, traceparent });
  if (turn !== null) return turn.id;
  // A replay of the response to the first call.
  const accepted = acceptedSchema.safeParse(JSON.parse(response.body));
  if (accepted.success) return accepted.data.id;
  throw new ProblemError('result_deleted', 'The result of the first call with this key was deleted.');
}

async function checkSession(
  { database }: Services,
  tenantId: string,
  sessionId: string,
  agentId: string,
): Promise<void> {
  const session = await readSession(database, tenantId, sessionId);
  if (session?.agent_id === agentId) return;
  throw new ProblemError('not_found', `There is no session ${sessionId} of this agent.`);
}
