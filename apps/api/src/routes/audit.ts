import {
  auditActionSchema,
  auditEntrySchema,
  idSchema,
  timestampSchema,
  pageLimitSchema,
  pageSchema,
} from '@turnpike/contract';
import { listAuditEntries } from '@turnpike/store';
import { z } from 'zod';
import { pageOf } from '../cursor.ts';
import { defineRoute, type Route } from '../route.ts';

const time = timestampSchema.transform((text) => new Date(text));

export const auditRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/audit_entries',
    operationId: 'listAuditEntries',
    summary: 'List administrative acts, newest first',
    tag: 'Audit log',
    scope: 'admin',
    params: z.object({}),
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('auditEntry').optional(),
      action: auditActionSchema.optional(),
      actor: z
        .union([z.literal('operator'), idSchema('apiKey')])
        .optional()
        .meta({ description: 'The id of a key, or `operator`.' }),
      from: time.optional().meta({ description: 'Not before this time.' }),
      to: time.optional().meta({ description: 'Before this time.' }),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(auditEntrySchema).meta({ id: 'AuditEntryList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query: { cursor, limit, ...filter } }, { database }) {
      const page = { cursor: cursor ?? null, limit: limit + 1 };
      const entries = await listAuditEntries(database, tenantId, page, filter);
      return { status: 200, body: pageOf(entries, limit, (entry) => entry.id) };
    },
  }),
];
