/** Headers of answers, each described once and referred to. */
export const RESPONSE_HEADERS = {
  'X-Request-Id': 'Names this request in the logs of the service: tell it to whoever runs it.',
  'Retry-After': 'Seconds after which it is worth asking again.',
  RateLimit: 'What is left of `RateLimit-Policy`: `r` requests, all of it again in `t` seconds.',
  'RateLimit-Policy': 'How many requests (`q`) may be made in how many seconds (`w`).',
  Location: 'Where what was made can be read.',
  'Idempotent-Replayed':
    '`true` where this is the answer to an earlier request with the same Idempotency-Key.',
  'Preference-Applied': 'How long was waited for at most: `wait=30`.',
  Allow: 'The methods that this path has.',
  'WWW-Authenticate': 'How to authenticate.',
} as const;

export type ResponseHeader = keyof typeof RESPONSE_HEADERS;

export const headerComponents = Object.fromEntries(
  Object.entries(RESPONSE_HEADERS).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' as const } },
  ]),
);

/** By their names, as an answer has them. */
export function refersTo(names: readonly ResponseHeader[]): Record<string, { $ref: string }> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
