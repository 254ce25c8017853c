import { batchResultSchema, turnEventSchema } from '@turnpike/contract';
import { z } from 'zod';
import { createDocument, type ZodOpenApiPathsObject, type ZodOpenApiResponseObject } from 'zod-openapi';
import type { Dialect } from '@turnpike/dialect-base';
import type { Route } from '../route.ts';
import { describeOperation } from './describe-operation.ts';
import { describeWebhooks, webhookSchemas } from './describe-webhooks.ts';
import { headerComponents } from './headers.ts';
import { TAGS } from './tags.ts';

/**
 * A path that shows the generator schemas that are in no JSON response: only what is in a response counts as written
 * by the service, with every field present. The path is removed again.
 */
const WRITTEN = '/written';

function describeWritten(): ZodOpenApiResponseObject {
  const schema = z.object({
    event: turnEventSchema,
    webhooks: z.union(webhookSchemas),
    result: batchResultSchema,
  });
  return { description: 'Schemas.', content: { 'application/json': { schema } } };
}

/** The OpenAPI 3.1 document of these operations, from the schemas that validate their requests. */
export function describeRoutes(routes: readonly Route[], dialects: readonly Dialect[] = []): object {
  const tags = { ...TAGS, ...Object.fromEntries(dialects.map(({ title, about }) => [title, about])) };
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    // A colon that is part of the path is escaped for Express.
    const path = route.path.replaceAll(/(?<!\\):(\w+)/g, '{$1}').replaceAll('\\', '');
    paths[path] = { ...paths[path], [route.method]: describeOperation(route) };
  }
  const document = createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Turnpike',
      version: '1',
      description:
        'Durable turns for LLM agents: submit, then poll, stream or receive webhooks. Errors are problems (RFC 9457) with a ' +
        'stable `code`. Every response has the id of its request in `X-Request-Id`.',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
      contact: { name: 'Turnpike' },
    },
    servers: [{ url: '/', description: 'Where this document is served.' }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    security: [{ apiKey: [] }, { apiKeyHeader: [] }],
    components: {
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: '`Authorization: Bearer tp_live_...`' },
        apiKeyHeader: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Api-Key',
          description: 'For clients that cannot set `Authorization`. Two different keys are refused.',
        },
      },
      headers: headerComponents,
    },
    paths: { ...paths, [WRITTEN]: { get: { responses: { 200: describeWritten() } } } },
    webhooks: describeWebhooks(),
  });
  delete document.paths?.[WRITTEN];
  return document;
}
