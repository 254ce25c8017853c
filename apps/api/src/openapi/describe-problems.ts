import { PROBLEMS, problemSchema, type ProblemCode } from '@turnpike/contract';
import type { ZodOpenApiResponsesObject } from 'zod-openapi';
import type { Route } from '../route.ts';
import { refersTo, type ResponseHeader } from './headers.ts';

/** Problems that any operation may respond with. */
const COMMON: readonly ProblemCode[] = [
  'unauthenticated',
  'insufficient_scope',
  'invalid_request',
  'malformed_request',
  'ambiguous_header',
  'method_not_allowed',
  'request_timeout',
  'headers_too_large',
  'rate_limited',
  'internal_error',
  'not_ready',
];
const OF_BODIES: readonly ProblemCode[] = [
  'invalid_json',
  'body_too_large',
  'too_many_bodies',
  'unsupported_media_type',
];
const OF_POSTS: readonly ProblemCode[] = [
  'invalid_idempotency_key',
  'idempotency_key_in_use',
  'idempotency_key_reused',
];

/** Headers of some problems, beside those of every response. */
const HEADERS: Record<number, readonly ResponseHeader[]> = {
  401: ['WWW-Authenticate'],
  405: ['Allow'],
  429: ['Retry-After', 'RateLimit', 'RateLimit-Policy'],
  503: ['Retry-After'],
};

/** The problem responses of an operation by status, each with its codes. */
export function describeProblems(route: Route): ZodOpenApiResponsesObject {
  const takesBody = route.body !== undefined || route.method === 'post';
  const codes = new Set([
    ...COMMON,
    ...(takesBody ? OF_BODIES : []),
    ...(route.method === 'post' ? OF_POSTS : []),
    ...route.problems,
  ]);
  const responses: ZodOpenApiResponsesObject = {};
  for (const status of new Set([...codes].map((code) => PROBLEMS[code].status))) {
    const ofStatus = [...codes].filter((code) => PROBLEMS[code].status === status);
    responses[`${status}`] = {
      description: ofStatus.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
      headers: refersTo(['X-Request-Id', ...(HEADERS[status] ?? [])]),
      content: { 'application/problem+json': { schema: problemSchema } },
    };
  }
  return responses;
}
