import {
  apiKeySchema,
  createApiKeySchema,
  createdApiKeySchema,
  idSchema,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  rotateApiKeySchema,
} from '@turnpike/contract';
import { createApiKey, inTransaction, listApiKeys, retireApiKey, revokeApiKey } from '@turnpike/store';
import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { checkCount } from '../check-count.ts';
import { pageOf } from '../cursor.ts';
import { defineRoute, type Route, type RouteResult } from '../route.ts';

const params = z.object({ key_id: idSchema('apiKey') });
const none = z.object({});
const noKey = (id: string): ProblemError =>
  new ProblemError('not_found', `There is no key ${id} that works.`);

export const apiKeyRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/api_keys',
    operationId: 'createApiKey',
    summary: 'Create a key; it is shown only this once',
    tag: 'API keys',
    scope: 'admin',
    audit: 'api_key.created',
    params: none,
    query: none,
    body: createApiKeySchema,
    response: {
      status: 201,
      description: 'The key. A replay comes without it.',
      schema: createdApiKeySchema,
    },
    problems: ['api_key_limit'],
    async handle({ tenantId, limits, body, sql }) {
      await checkCount(sql, { tenantId, limits }, 'apiKeys');
      const { name, scopes, expires_in_seconds: expiresInSeconds } = body;
      const created = await createApiKey(sql, { tenantId, name, scopes, expiresInSeconds });
      return { ...createdResult(created), audited: { details: { name, scopes } } };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/api_keys',
    operationId: 'listApiKeys',
    summary: 'List keys, oldest first, revoked and expired ones too',
    tag: 'API keys',
    scope: 'admin',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: idSchema('apiKey').optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(apiKeySchema).meta({ id: 'ApiKeyList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query }, { database }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const keys = await listApiKeys(database, tenantId, page);
      return { status: 200, body: pageOf(keys, query.limit, (key) => key.id) };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/api_keys/:key_id/rotate',
    operationId: 'rotateApiKey',
    summary: 'Create a key that replaces this one; both work for a while',
    tag: 'API keys',
    scope: 'admin',
    audit: 'api_key.rotated',
    params,
    query: none,
    body: rotateApiKeySchema,
    response: { status: 201, description: 'The new key.', schema: createdApiKeySchema },
    problems: ['not_found', 'api_key_limit'],
    handle({ tenantId, limits, params: { key_id: id }, body, sql, may }) {
      return inTransaction(sql, async (transaction) => {
        const old = await retireApiKey(transaction, tenantId, id, body.overlap_seconds);
        if (old === null) throw noKey(id);
        if (old.scopes.includes('operator') && !may('operator'))
          throw new ProblemError(
            'insufficient_scope',
            'Rotating that key needs a key with the scope operator.',
          );
        // The old key counts, unless it no longer works.
        await checkCount(transaction, { tenantId, limits }, 'apiKeys');
        const { name, scopes, expiredAt: expiresAt } = old;
        const expiresInSeconds = body.expires_in_seconds;
        const made = await createApiKey(transaction, { tenantId, name, scopes, expiresInSeconds, expiresAt });
        return { ...createdResult(made), audited: { details: { new_key_id: made.apiKey.id } } };
      });
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/api_keys/:key_id',
    operationId: 'revokeApiKey',
    summary: 'Revoke a key: after a second no process accepts it',
    tag: 'API keys',
    scope: 'admin',
    audit: 'api_key.revoked',
    params,
    query: none,
    response: { status: 204, description: 'Revoked.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { key_id: id }, sql }) {
      if ((await revokeApiKey(sql, id, tenantId)) === null) throw noKey(id);
      return { status: 204 };
    },
  }),
];

function createdResult({ apiKey, key }: Awaited<ReturnType<typeof createApiKey>>): RouteResult {
  return {
    status: 201,
    body: apiKey,
    // From here on it is redacted in logs.
    shownOnce: { key: new Secret(key).reveal() },
  };
}
