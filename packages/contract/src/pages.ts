import { z } from 'zod';

/** One page of a list. `next_cursor` is the next request's `?cursor=`; null on the last page. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.object({
    object: z.literal('list'),
    items: z.array(item),
    next_cursor: z.string().nullable(),
  });
}

export const pageLimitSchema = z.coerce.number().int().min(1).max(100).default(20);
