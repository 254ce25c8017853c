import { SCOPES } from '@turnpike/contract';
import supertest from 'supertest';
import { z } from 'zod';

const schemaSchema = z.looseObject({});
/** A JSON Schema of the document, with its references unresolved. */
export type Schema = z.infer<typeof schemaSchema>;

const parameterSchema = z.object({
  name: z.string(),
  in: z.enum(['path', 'query', 'header']),
  required: z.boolean().default(false),
  description: z.string().optional(),
  schema: schemaSchema,
});
export type Parameter = z.infer<typeof parameterSchema>;

const contentSchema = z.object({
  content: z.record(z.string(), z.object({ schema: schemaSchema.optional() })).optional(),
});
const responseSchema = contentSchema.extend({ headers: z.record(z.string(), z.unknown()).optional() });
const operationSchema = z.object({
  operationId: z.string(),
  'x-scope': z.enum(SCOPES),
  parameters: z.array(parameterSchema).default([]),
  requestBody: contentSchema.optional(),
  responses: z.record(z.string(), responseSchema),
});
const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.object({ schemas: z.record(z.string(), schemaSchema) }),
});

export type Method = 'get' | 'post' | 'put' | 'delete';

/** An operation of the document. */
export interface Operation {
  id: string;
  method: Method;
  /** With parameters as the document has them: `/v1/turns/{turn_id}`. */
  path: string;
  scope: (typeof SCOPES)[number];
  parameters: Parameter[];
  body: Schema | null;
  /** All responses, by status. */
  responses: Record<string, z.infer<typeof responseSchema>>;
  /** The schema of the 2xx response; null where that is not JSON. */
  response: Schema | null;
}

export interface ApiDocument {
  operations: Operation[];
  /** Resolves a reference; another schema is returned as it is. */
  resolve(schema: Schema): Schema;
}

/** Reads the document that the API serves, so that new operations are tested without being named. */
export async function readDocument(url: string): Promise<ApiDocument> {
  const { body } = await supertest(url).get('/openapi.json').expect(200);
  const { paths, components } = documentSchema.parse(body);
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => {
      const good = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))?.[1];
      return {
        id: operation.operationId,
        method: z.enum(['get', 'post', 'put', 'delete']).parse(method),
        path,
        scope: operation['x-scope'],
        parameters: operation.parameters,
        body: operation.requestBody?.content?.['application/json']?.schema ?? null,
        responses: operation.responses,
        response: good?.content?.['application/json']?.schema ?? null,
      };
    }),
  );
  const resolve = (schema: Schema): Schema => {
    const { $ref: reference } = schema;
    if (typeof reference !== 'string') return schema;
    return resolve(components.schemas[reference.split('/').at(-1) ?? ''] ?? {});
  };
  return { operations, resolve };
}
