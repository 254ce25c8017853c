import {
  pageLimitSchema,
  pageSchema,
  ProblemError,
  putSecretSchema,
  secretEntrySchema,
  secretNameSchema,
} from '@turnpike/contract';
import { deleteSecret, listSecrets, putSecret, readSecretEntry } from '@turnpike/store';
import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { checkCount } from '../check-count.ts';
import { pageOf } from '../cursor.ts';
import { defineRoute, type Route } from '../route.ts';

const params = z.object({ name: secretNameSchema });
const none = z.object({});
const noSecret = (name: string): ProblemError => new ProblemError('not_found', `There is no secret ${name}.`);

export const secretRoutes: Route[] = [
  defineRoute({
    method: 'put',
    path: '/v1/secrets/:name',
    operationId: 'putSecret',
    summary: 'Store a secret, or a new version of it; its value is never shown again',
    tag: 'Secrets',
    scope: 'secrets:write',
    audit: 'secret.put',
    params,
    query: none,
    body: putSecretSchema,
    response: { status: 200, description: 'The secret, without its value.', schema: secretEntrySchema },
    problems: ['secret_limit'],
    async prepare({ tenantId }, { secretBox }) {
      await secretBox.prepare(tenantId);
    },
    async handle({ tenantId, limits, params: { name }, body, sql }, { secretBox }) {
      await checkCount(sql, { tenantId, limits }, 'secrets', name);
      const value = new Secret(body.value);
      const allowedHosts = body.allowed_hosts;
      const entry = await putSecret(sql, secretBox, { tenantId, name, value, allowedHosts });
      const details = { version: entry.version, allowed_hosts: entry.allowed_hosts };
      return { status: 200, body: entry, audited: { details } };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/secrets',
    operationId: 'listSecrets',
    summary: 'List secrets by name, without their values',
    tag: 'Secrets',
    scope: 'secrets:read',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: secretNameSchema.optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(secretEntrySchema).meta({ id: 'SecretList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query }, { database }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const secrets = await listSecrets(database, tenantId, page);
      return { status: 200, body: pageOf(secrets, query.limit, (secret) => secret.name) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/secrets/:name',
    operationId: 'getSecret',
    summary: 'Read a secret, without its value',
    tag: 'Secrets',
    scope: 'secrets:read',
    params,
    query: none,
    response: { status: 200, description: 'The secret, without its value.', schema: secretEntrySchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { name } }, { database }) {
      const secret = await readSecretEntry(database, tenantId, name);
      if (secret === null) throw noSecret(name);
      return { status: 200, body: secret };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/secrets/:name',
    operationId: 'deleteSecret',
    summary: 'Delete a secret; tools that name it can no longer be called',
    tag: 'Secrets',
    scope: 'secrets:write',
    audit: 'secret.deleted',
    params,
    query: none,
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { name }, sql }) {
      if (!(await deleteSecret(sql, tenantId, name))) throw noSecret(name);
      return { status: 204 };
    },
  }),
];
