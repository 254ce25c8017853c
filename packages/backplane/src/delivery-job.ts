import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const deliveryJobSchema = z.strictObject({
  deliveryId: z.string().regex(/^[^:\s]{1,100}$/),
  jobNumber: z.int().nonnegative(),
});

/** What a job carries: never more than it takes to claim a delivery, or to see that it has moved on. */
export type DeliveryJob = z.infer<typeof deliveryJobSchema>;

export const DELIVERY_JOBS: JobKind<DeliveryJob> = {
  queue: 'deliveries',
  what: 'a delivery',
  schema: deliveryJobSchema,
  jobIdOf: ({ deliveryId, jobNumber }) => `${deliveryId}.${jobNumber}`,
};
