import { allows, ProblemError, type Scope } from '@turnpike/contract';
import type { RequestHandler } from 'express';
import type { Authenticate } from './authenticate.ts';
import type { BodyMemory } from './body-memory.ts';
import { limitRate } from './limit-rate.ts';
import { addLogFields } from './log-requests.ts';
import { readBody } from './read-body.ts';
import type { RequestRates } from './request-rates.ts';
import { requesterOf, setRequester } from './requester.ts';

/** What a request is admitted by, before it is served. */
export interface AdmissionSettings {
  authenticate: Authenticate;
  rates: RequestRates;
  bodies: BodyMemory;
  maxBodyBytes: number;
}

/**
 * Finds out whose request it is, before a byte of its body is read. Throws what `authenticate` throws,
 * `rate_limited`, and `insufficient_scope` for a key without the scope.
 */
export function identify(
  { authenticate, rates, maxBodyBytes }: AdmissionSettings,
  { path, operationId, scope }: { path: string; operationId: string; scope: Scope },
): RequestHandler {
  return async (request, response, next) => {
    const { tenantId, keyId, scopes, limits } = await authenticate(request);
    addLogFields(response, { route: path, operation: operationId, ids: { tenant_id: tenantId } });
    limitRate(response, await rates.admit(tenantId, limits.requests_per_second));
    if (!allows(scopes, scope)) throw lacksScope(scope);
    const mostBytes = Math.min(limits.max_body_bytes, maxBodyBytes);
    setRequester(response, { tenantId, keyId, scopes, limits: { ...limits, max_body_bytes: mostBytes } });
    next();
  };
}

export function lacksScope(scope: Scope): ProblemError {
  return new ProblemError('insufficient_scope', `This needs a key with the scope ${scope}.`);
}

/** Reads the body of a request that `identify` has admitted, as `readBody`. */
export function readBodies({ bodies }: AdmissionSettings): RequestHandler {
  return readBody(bodies, (response) => {
    const { tenantId, limits } = requesterOf(response);
    return { tenantId, maxBytes: limits.max_body_bytes };
  });
}
