import { z } from 'zod';
import type { HintKind } from './hint-kind.ts';

const deliveryHintSchema = z.strictObject({
  deliveryId: z.string().regex(/^[^:\s]{1,100}$/),
  hint: z.int().nonnegative(),
});

/** What a job carries: never more than it takes to claim a delivery, or to see that it has moved on. */
export type DeliveryHint = z.infer<typeof deliveryHintSchema>;

export const DELIVERY_HINTS: HintKind<DeliveryHint> = {
  queue: 'deliveries',
  what: 'a delivery',
  schema: deliveryHintSchema,
  jobIdOf: ({ deliveryId, hint }) => `${deliveryId}.${hint}`,
};
