import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const deliveryJobSchema = z.strictObject({
  deliveryId: z.string().regex(/^[^:\s]{1,100}$/),
  jobNumber: z.int().nonnegative(),
});

/** A job's data: only what a claim of the delivery needs, or what shows that the job is outdated. */
export type DeliveryJob = z.infer<typeof deliveryJobSchema>;

export const DELIVERY_JOBS: JobKind<DeliveryJob> = {
  queue: 'deliveries',
  what: 'a delivery',
  schema: deliveryJobSchema,
  jobIdOf: ({ deliveryId, jobNumber }) => `${deliveryId}.${jobNumber}`,
};
