/**
 * The delay of a `Retry-After` header in milliseconds. The header is a number of seconds or a date (RFC 9110,
 * section 10.2.3); zero if it is neither. `nowMs` is in milliseconds since 1970.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}
