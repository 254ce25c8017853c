import { z } from 'zod';
import { idSchema } from './ids.ts';
import { poolNameSchema } from './pools.ts';

/** Turns that wait for a slot are counted up to here, for a tenant and for a pool. */
export const MOST_COUNTED = 1_000;

const counts = {
  running_turns: z.int().nonnegative().meta({ description: 'Turns that a worker has claimed.' }),
  dispatched_turns: z
    .int()
    .nonnegative()
    .meta({ description: 'Turns that are in the queue, for a worker to claim.' }),
  waiting_turns: z
    .int()
    .nonnegative()
    .meta({ description: `Turns that are ready and wait for a slot. Counted up to ${MOST_COUNTED}.` }),
  oldest_waiting_at: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'Since when the oldest of the counted turns waits.' }),
};

const pausedAt = z.iso.datetime().nullable().meta({ description: 'Null unless it is paused.' });

export const operatorTenantSchema = z
  .object({
    id: idSchema('tenant'),
    object: z.literal('tenant'),
    name: z.string(),
    paused_at: pausedAt,
    max_running_turns: z.int(),
    weight: z.number().meta({ description: 'Its share of the slots, relative to other tenants.' }),
    ...counts,
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'OperatorTenant', description: 'A tenant, as an operator sees it.' });
export type OperatorTenant = z.infer<typeof operatorTenantSchema>;

export const workerPoolSchema = z
  .object({
    object: z.literal('pool'),
    name: poolNameSchema,
    paused_at: pausedAt,
    workers: z.int().nonnegative(),
    slots: z.int().nonnegative().meta({ description: 'Turns that its workers run at once.' }),
    versions: z
      .array(z.object({ version: z.string().nullable(), workers: z.int() }))
      .meta({ description: 'Of the packages that its workers run, those with the most workers first.' }),
    ...counts,
  })
  .meta({ id: 'WorkerPool', description: 'Workers of one pool, and the turns that are for them.' });
export type WorkerPool = z.infer<typeof workerPoolSchema>;

export const workerSchema = z
  .object({
    id: z.string(),
    object: z.literal('worker'),
    pool: poolNameSchema,
    slots: z.int(),
    running_turns: z.int().nonnegative(),
    version: z.string().nullable(),
    tools: z.array(z.string()).meta({ description: 'The tools that its code defines.' }),
    seen_at: z.iso.datetime().meta({ description: 'Of its last heartbeat.' }),
  })
  .meta({ id: 'Worker', description: 'A worker whose heartbeats come.' });
export type Worker = z.infer<typeof workerSchema>;
