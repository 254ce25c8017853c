import { modelSettingsSchema, ProblemError, putModelSettingsSchema } from '@turnpike/contract';
import { findMissingSecrets, putModelSettings, readModelSettings, type Sql } from '@turnpike/store';
import { z } from 'zod';
import { defineRoute, type Route } from '../route.ts';

const none = z.object({});

export const modelSettingsRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/model_settings',
    operationId: 'getModelSettings',
    summary: 'Read whose keys the model is called with, and where',
    tag: 'Model settings',
    scope: 'secrets:read',
    params: none,
    query: none,
    answer: { status: 200, description: 'The settings, no key among them.', schema: modelSettingsSchema },
    problems: [],
    async handle({ tenantId, sql }) {
      return { status: 200, body: await readModelSettings(sql, tenantId) };
    },
  }),

  defineRoute({
    method: 'put',
    path: '/v1/model_settings',
    operationId: 'putModelSettings',
    summary: 'Say whose keys the model is called with, and where',
    tag: 'Model settings',
    // Whoever chooses the address is sent the keys, and a key with `secrets:write` may write them only.
    scope: 'admin',
    params: none,
    query: none,
    body: putModelSettingsSchema,
    answer: { status: 200, description: 'The settings.', schema: modelSettingsSchema },
    problems: [],
    async handle({ tenantId, body, sql }) {
      await checkModelKeys(sql, tenantId, body.keys, 'keys');
      const settings = await putModelSettings(sql, tenantId, body);
      const { keys, base_url: baseUrl, auth } = settings;
      // Of the address only where it is: its path may hold a token.
      const details = { keys, origin: baseUrl === null ? null : new URL(baseUrl).origin, auth };
      return { status: 200, body: settings, audited: { details } };
    },
  }),
];

/** Throws `invalid_request` for names that the tenant has no secret of. `path` is where they stand in the body. */
export async function checkModelKeys(
  sql: Sql,
  tenantId: string,
  names: readonly string[],
  path: string,
): Promise<void> {
  if (names.length === 0) return;
  const missing = await findMissingSecrets(sql, tenantId, names);
  const issues = names.flatMap((name, place) =>
    missing.has(name) ? [{ path: `${path}.${place}`, message: `there is no secret ${name}` }] : [],
  );
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
}
