import { createHash } from 'node:crypto';
import type { ModelRequest } from '@turnpike/contract';
import type { Failure } from './classify-error.ts';
import type { RequestProgress } from './stream-message.ts';

/** Failures of the API itself, and not of the request, the key or its rate. */
const OUTAGES = new Set([
  'model_overloaded',
  'model_unavailable',
  'model_timeout',
  'model_stream_cut',
  'model_malformed_stream',
]);

/** Whether a failure counts against the API. A step that ran out of time does only where no response had begun. */
export function isOutage({ code }: Failure, { begun }: RequestProgress): boolean {
  return OUTAGES.has(code) || (code === 'model_step_timeout' && !begun);
}

/** Whether a response reached its end, is billed, and is invalid: the next one may well be the same. */
export function isBroken({ code }: Failure, { ended }: RequestProgress): boolean {
  return code === 'model_malformed_stream' || (code === 'model_stream_cut' && ended);
}

/** Identifies an outage among those of a tenant: calls that may use the same keys at the same endpoint share it. */
export function outageOf({ agent, access }: Pick<ModelRequest, 'agent' | 'access'>): string {
  const shared = [agent.model, access.baseUrl, access.operatorKey, agent.model_keys ?? access.keys];
  return createHash('sha256').update(JSON.stringify(shared)).digest('base64url');
}
