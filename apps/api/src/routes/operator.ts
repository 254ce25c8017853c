import {
  idSchema,
  operatorTenantSchema,
  pageLimitSchema,
  pageSchema,
  poolNameSchema,
  ProblemError,
  workerPoolSchema,
  workerSchema,
  type OperatorTenant,
  type WorkerPool,
} from '@turnpike/contract';
import {
  inTransaction,
  listOperatorTenants,
  listWorkerPools,
  listWorkers,
  pausePool,
  readOperatorTenant,
  readWorkerPool,
  resumePool,
  setTenantPaused,
  type Sql,
} from '@turnpike/store';
import { z } from 'zod';
import { pageOf } from '../cursor.ts';
import { defineRoute, type Route } from '../route.ts';

const none = z.object({});
const tag = 'Operator';
const scope = 'operator';
const ofTenant = z.object({ tenant_id: idSchema('tenant') });
const ofPool = z.object({ pool: poolNameSchema.meta({ description: 'The name of the pool.' }) });
const oneTenant = { status: 200, description: 'The tenant.', schema: operatorTenantSchema };
const onePool = { status: 200, description: 'The pool.', schema: workerPoolSchema };

export const operatorRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/operator/tenants',
    operationId: 'listOperatorTenants',
    summary: 'List all tenants, newest first, with their turns that run and wait',
    tag,
    scope,
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('tenant').optional(),
      search: z.string().min(1).max(200).optional().meta({ description: 'An id, or a part of a name.' }),
      paused: z.literal('true').optional().meta({ description: 'Only those that are paused.' }),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(operatorTenantSchema).meta({ id: 'OperatorTenantList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ query: { limit, cursor, search, paused }, sql }) {
      const page = { cursor: cursor ?? null, limit: limit + 1 };
      const filter = { pausedOnly: paused !== undefined, search: search ?? null };
      const tenants = await listOperatorTenants(sql, page, filter);
      return { status: 200, body: pageOf(tenants, limit, (tenant) => tenant.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/operator/tenants/:tenant_id',
    operationId: 'getOperatorTenant',
    summary: 'Read a tenant, with its turns that run and wait',
    tag,
    scope,
    params: ofTenant,
    query: none,
    response: oneTenant,
    problems: ['not_found'],
    async handle({ params: { tenant_id: id }, sql }) {
      return { status: 200, body: await tenantThere(sql, id) };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/operator/tenants/:tenant_id/pause',
    operationId: 'pauseTenant',
    summary: 'Pause a tenant: its turns wait, and those that run go on',
    description:
      'Requests of the tenant are accepted as before: their turns are stored, and start once it is resumed. Deadlines and limits of turns hold meanwhile.',
    tag,
    scope,
    audit: 'tenant.paused',
    params: ofTenant,
    query: none,
    response: oneTenant,
    problems: ['not_found'],
    handle: ({ params: { tenant_id: id }, sql }) =>
      inTransaction(sql, async (transaction) => ({
        status: 200,
        body: await changedTenant(transaction, id, true),
      })),
  }),

  defineRoute({
    method: 'post',
    path: '/v1/operator/tenants/:tenant_id/resume',
    operationId: 'resumeTenant',
    summary: 'Resume a tenant: its turns that wait start',
    tag,
    scope,
    audit: 'tenant.resumed',
    params: ofTenant,
    query: none,
    response: oneTenant,
    problems: ['not_found'],
    handle: ({ params: { tenant_id: id }, sql }, { dispatcher }) =>
      inTransaction(sql, async (transaction) => ({
        status: 200,
        body: await changedTenant(transaction, id, false),
        afterCommit: () => dispatcher.changed({ tenantId: id }),
      })),
  }),

  defineRoute({
    method: 'get',
    path: '/v1/operator/pools',
    operationId: 'listPools',
    summary: 'List the pools of workers, with their slots and the turns that are for them',
    tag,
    scope,
    params: none,
    query: none,
    response: {
      status: 200,
      description: 'All pools that a worker or a turn that waits names, or that are paused; up to 200.',
      schema: z.object({ items: z.array(workerPoolSchema) }).meta({ id: 'WorkerPoolList' }),
    },
    problems: [],
    async handle({ sql }) {
      return { status: 200, body: { items: await listWorkerPools(sql) } };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/operator/pools/:pool/pause',
    operationId: 'pausePool',
    summary: 'Pause a pool: turns for it wait, and those that run go on',
    description:
      'Also one without workers yet. A turn that was being dispatched at that moment may still start.',
    tag,
    scope,
    audit: 'pool.paused',
    params: ofPool,
    query: none,
    response: onePool,
    problems: [],
    handle: ({ params: { pool: name }, sql }) =>
      inTransaction(sql, async (transaction) => {
        await pausePool(transaction, name);
        return { status: 200, body: await poolThere(transaction, name) };
      }),
  }),

  defineRoute({
    method: 'post',
    path: '/v1/operator/pools/:pool/resume',
    operationId: 'resumePool',
    summary: 'Resume a pool: turns that wait for it start',
    tag,
    scope,
    audit: 'pool.resumed',
    params: ofPool,
    query: none,
    response: onePool,
    problems: ['not_found'],
    handle: ({ params: { pool: name }, sql }, { dispatcher }) =>
      inTransaction(sql, async (transaction) => {
        const pool = await poolThere(transaction, name);
        const tenantIds = await resumePool(transaction, name);
        return {
          status: 200,
          body: { ...pool, paused_at: null },
          afterCommit: () => tenantIds.forEach((tenantId) => dispatcher.changed({ tenantId })),
        };
      }),
  }),

  defineRoute({
    method: 'get',
    path: '/v1/operator/workers',
    operationId: 'listWorkers',
    summary: 'List the workers whose heartbeats come',
    tag,
    scope,
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: z.string().min(1).max(200).optional(),
      pool: poolNameSchema.optional().meta({ description: 'Only those of this pool.' }),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(workerSchema).meta({ id: 'WorkerList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ query: { limit, cursor, pool }, sql }) {
      const workers = await listWorkers(sql, { cursor: cursor ?? null, limit: limit + 1 }, pool ?? null);
      return { status: 200, body: pageOf(workers, limit, (worker) => worker.id) };
    },
  }),
];

async function tenantThere(sql: Sql, id: string): Promise<OperatorTenant> {
  const tenant = await readOperatorTenant(sql, id);
  if (tenant === null) throw new ProblemError('not_found', `There is no tenant ${id}.`);
  return tenant;
}

async function changedTenant(sql: Sql, id: string, isPaused: boolean): Promise<OperatorTenant> {
  if (!(await setTenantPaused(sql, id, isPaused)))
    throw new ProblemError('not_found', `There is no tenant ${id}.`);
  return tenantThere(sql, id);
}

async function poolThere(sql: Sql, name: string): Promise<WorkerPool> {
  const pool = await readWorkerPool(sql, name);
  if (pool === null)
    throw new ProblemError('not_found', `No worker and no turn that waits names the pool ${name}.`);
  return pool;
}
