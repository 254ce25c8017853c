import { z } from 'zod';
import type { oas31, ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import type { Route } from '../route.ts';
import { describeProblems } from './describe-problems.ts';
import { BODY_EXAMPLES } from './body-examples.ts';
import { RESPONSE_HEADERS, refersTo, type ResponseHeader } from './headers.ts';

const idempotencyHeader = z.object({
  'Idempotency-Key': z.string().min(1).max(255).optional().meta({
    description: 'The same key and body within 24 hours get the same response, and nothing is done twice.',
    example: 'order-4711',
  }),
});

/** Descriptions of parameters whose schemas have none. */
const PARAMETERS: Record<string, string> = {
  limit: 'Items on a page.',
  cursor: 'The `next_cursor` of the previous page.',
  name: 'Its name.',
  period: 'A day or a month, in UTC.',
  type: 'Only events of this type.',
  action: 'Only this act.',
  model: 'Only this model.',
  version: 'Only this version.',
};

/** An operation of the OpenAPI document, from the schemas that validate its requests. */
export function describeOperation(route: Route): ZodOpenApiOperationObject {
  const header = z.object({
    ...route.headers?.shape,
    ...(route.method === 'post' ? idempotencyHeader.shape : {}),
  });
  const examples = BODY_EXAMPLES[route.operationId];
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: `${route.description ?? `${route.summary}.`} Needs a key with the scope \`${route.scope}\`.`,
    tags: [route.tag],
    security: [{ apiKey: [] }, { apiKeyHeader: [] }],
    'x-scope': route.scope,
    requestParams: {
      path: withDescriptions(route.params),
      query: withDescriptions(route.query),
      header: withDescriptions(header),
    },
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: route.body, ...(examples === undefined ? {} : { examples }) },
              ...(route.form === undefined ? {} : { 'multipart/form-data': { schema: route.form.schema } }),
            },
          },
        }),
    responses: { ...describeResponses(route), ...describeProblems(route) },
  };
}

const BINARY: oas31.SchemaObject = { type: 'string', format: 'binary' };

function withDescriptions(parameters: z.ZodObject): z.ZodObject {
  const shape = Object.entries(parameters.shape).map(([name, schema]) => {
    if (!(schema instanceof z.ZodType)) return [name, schema];
    const { description = PARAMETERS[name] ?? describeId(name), ...rest } = schema.meta() ?? {};
    return [name, schema.meta({ ...rest, ...(description === undefined ? {} : { description }) })];
  });
  return z.object(Object.fromEntries(shape));
}

/** `webhook_endpoint_id`: The id of a webhook endpoint. */
function describeId(name: string): string | undefined {
  const noun = /^(\w+)_id$/.exec(name)?.[1];
  return noun === undefined ? undefined : `The id of the ${noun.replaceAll('_', ' ')}.`;
}

/** To a generated client it is text; `contentSchema` says what the data of each event is. */
function describeStream(description: string): oas31.SchemaObject {
  const schema: oas31.SchemaObject & { contentSchema: object } = {
    type: 'string',
    description,
    contentMediaType: 'text/event-stream',
    contentSchema: { $ref: '#/components/schemas/TurnEvent' },
  };
  return schema;
}

/** To a generated client it is text; `contentSchema` says what each line is. */
function describeLines(line: z.ZodType): oas31.SchemaObject {
  const schema: oas31.SchemaObject & { contentSchema: object } = {
    type: 'string',
    description: 'One JSON object on each line.',
    contentMediaType: 'application/jsonl',
    contentSchema: { $ref: `#/components/schemas/${String(line.meta()?.['id'])}` },
  };
  return schema;
}

function describeResponses({ method, response }: Route): ZodOpenApiResponsesObject {
  const { status, description, schema, stream, headers, empty, binary = false, lines } = response;
  const content = {
    ...(binary ? { 'application/octet-stream': { schema: BINARY } } : {}),
    ...(schema === undefined ? {} : { 'application/json': { schema } }),
    ...(lines === undefined ? {} : { 'application/jsonl': { schema: describeLines(lines) } }),
    ...(stream === undefined ? {} : { 'text/event-stream': { schema: describeStream(stream) } }),
  };
  const names: ResponseHeader[] = [
    'X-Request-Id',
    'RateLimit',
    'RateLimit-Policy',
    ...(method === 'post' ? (['Idempotent-Replayed'] as const) : []),
    ...Object.keys(headers?.shape ?? {}).filter((name): name is ResponseHeader => name in RESPONSE_HEADERS),
  ];
  return {
    [`${status}` as '200']: {
      description,
      headers: refersTo(names),
      ...(schema === undefined && stream === undefined && lines === undefined && !binary ? {} : { content }),
    },
    ...(empty === undefined ? {} : { 204: { description: empty, headers: refersTo(names) } }),
  };
}
