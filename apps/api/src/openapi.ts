import { PROBLEMS, problemSchema, type ProblemCode } from '@turnpike/contract';
import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import type { Route } from './route.ts';

/** What any operation may answer. */
const COMMON: readonly ProblemCode[] = [
  'unauthenticated',
  'insufficient_scope',
  'invalid_request',
  'rate_limited',
  'internal_error',
  'not_ready',
];
const OF_BODIES: readonly ProblemCode[] = [
  'invalid_json',
  'body_too_large',
  'too_many_bodies',
  'unsupported_media_type',
  'invalid_idempotency_key',
  'idempotency_key_in_use',
  'idempotency_key_reused',
  'result_deleted',
];

const idempotencyHeader = z.object({
  'Idempotency-Key': z.string().min(1).max(255).optional().meta({
    description: 'The same key and body within 24 hours give the same answer, and nothing is done twice.',
  }),
});

/** The OpenAPI 3.1 document of these operations, from the very schemas that check them. */
export function describeRoutes(routes: readonly Route[]): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: describeOperation(route) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Turnpike',
      version: '1',
      description: 'Durable turns for LLM agents: submit, then poll. Errors are problems (RFC 9457).',
    },
    security: [{ apiKey: [] }],
    components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    paths,
  });
}

function describeOperation(route: Route): ZodOpenApiOperationObject {
  const header = z.object({
    ...route.headers?.shape,
    ...(route.method === 'post' ? idempotencyHeader.shape : {}),
  });
  const { status, description, schema, stream, headers } = route.answer;
  const content = {
    ...(stream === undefined ? {} : { 'text/event-stream': { schema: stream } }),
    ...(schema === undefined ? {} : { 'application/json': { schema } }),
  };
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.tag],
    security: [{ apiKey: [route.scope] }],
    requestParams: { path: route.params, query: route.query, header },
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.body } } } }),
    responses: {
      [status]: {
        description,
        ...(headers === undefined ? {} : { headers }),
        ...(schema === undefined && stream === undefined ? {} : { content }),
      },
      ...describeProblems(route),
    },
  };
}

function describeProblems(route: Route): Record<string, object> {
  const codes = [...COMMON, ...(route.method === 'post' ? OF_BODIES : []), ...route.problems];
  const answers: Record<string, { description: string; content: object }> = {};
  for (const code of new Set(codes)) {
    const { status, title } = PROBLEMS[code];
    const before = answers[status] === undefined ? '' : `${answers[status].description} `;
    answers[status] = {
      description: `${before}\`${code}\`: ${title}.`,
      content: { 'application/problem+json': { schema: problemSchema } },
    };
  }
  return answers;
}
