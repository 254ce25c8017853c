import type { Failure } from './classify-error.ts';

/** What speaks against the API itself, and not against the request, the key or its rate. */
const OUTAGES = new Set([
  'model_overloaded',
  'model_unavailable',
  'model_timeout',
  'model_stream_cut',
  'model_malformed_stream',
]);

/** Whether a failure is a reason to leave the API alone for a moment. */
export function isOutage(failure: Failure | undefined): boolean {
  return failure !== undefined && !failure.terminal && OUTAGES.has(failure.code);
}
