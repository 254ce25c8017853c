import { modelSettingsSchema, putModelSettingsSchema } from '@turnpike/contract';
import { putModelSettings, readModelSettings } from '@turnpike/store';
import { z } from 'zod';
import { checkPublicUrl } from '../check-public-url.ts';
import { checkModelKeys } from '../check-secrets.ts';
import { defineRoute, type Route } from '../route.ts';

const none = z.object({});

export const modelSettingsRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/model_settings',
    operationId: 'getModelSettings',
    summary: 'Read the keys and the address that model calls use',
    tag: 'Model settings',
    scope: 'secrets:read',
    params: none,
    query: none,
    response: {
      status: 200,
      description: 'The settings, without the values of keys.',
      schema: modelSettingsSchema,
    },
    problems: [],
    async handle({ tenantId, sql }) {
      return { status: 200, body: await readModelSettings(sql, tenantId) };
    },
  }),

  defineRoute({
    method: 'put',
    path: '/v1/model_settings',
    operationId: 'putModelSettings',
    summary: 'Set the keys and the address that model calls use',
    tag: 'Model settings',
    // The keys are sent to the address, so to set it takes more than `secrets:write`, which only writes secrets.
    scope: 'admin',
    params: none,
    query: none,
    body: putModelSettingsSchema,
    response: { status: 200, description: 'The settings.', schema: modelSettingsSchema },
    problems: [],
    async handle({ tenantId, body, sql, may }, services) {
      checkPublicUrl(body.base_url ?? undefined, 'base_url', services);
      await checkModelKeys({ sql, tenantId, may }, body.keys, 'keys', body.base_url);
      const settings = await putModelSettings(sql, tenantId, body);
      const { keys, base_url: baseUrl, auth } = settings;
      // Only the origin of the address: its path may contain a token.
      const details = { keys, origin: baseUrl === null ? null : new URL(baseUrl).origin, auth };
      return { status: 200, body: settings, audited: { details } };
    },
  }),
];
