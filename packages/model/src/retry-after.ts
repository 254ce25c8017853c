/** Longer waits are not believed: to retry too early costs one request, to retry too late a day. */
export const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

/**
 * Milliseconds that the API asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110,
 * 10.2.3). At most an hour; undefined where it asks for none.
 */
export function readRetryAfter(headers: Headers | undefined, now: number): number | undefined {
  const requestedMs =
    positive(headers?.get('retry-after-ms'), 1) ??
    positive(headers?.get('retry-after'), 1000) ??
    untilDate(headers?.get('retry-after'), now);
  return requestedMs === undefined ? undefined : Math.min(Math.ceil(requestedMs), MAX_RETRY_AFTER_MS);
}

function positive(text: string | null | undefined, unitMs: number): number | undefined {
  if (text === null || text === undefined || !/^\s*\d+(\.\d+)?\s*$/.test(text)) return undefined;
  const value = Number(text) * unitMs;
  return value > 0 ? value : undefined;
}

function untilDate(text: string | null | undefined, now: number): number | undefined {
  // Without a letter it is not an HTTP date, though Date.parse would accept it.
  if (text === null || text === undefined || !/[a-z]/i.test(text)) return undefined;
  const wait = Date.parse(text) - now;
  return wait > 0 ? wait : undefined;
}
