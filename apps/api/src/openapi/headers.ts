/** Headers of responses, each described once and referred to. */
export const RESPONSE_HEADERS = {
  'X-Request-Id': 'Identifies this request in the logs of the service: give it to the operator.',
  'Retry-After': 'Seconds to wait before the next attempt.',
  RateLimit: 'What is left of `RateLimit-Policy`: `r` requests, and the whole of it again in `t` seconds.',
  'RateLimit-Policy': 'How many requests (`q`) may be made in how many seconds (`w`).',
  Location: 'The path of what was created.',
  'Idempotent-Replayed':
    '`true` where this is the response to an earlier request with the same Idempotency-Key.',
  'Preference-Applied': 'The wait that was applied: `wait=30`.',
  Allow: 'The methods of this path.',
  'WWW-Authenticate': 'How to authenticate.',
} as const;

export type ResponseHeader = keyof typeof RESPONSE_HEADERS;

export const headerComponents = Object.fromEntries(
  Object.entries(RESPONSE_HEADERS).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' as const } },
  ]),
);

/** References to these headers, by their names. */
export function refersTo(names: readonly ResponseHeader[]): Record<string, { $ref: string }> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
