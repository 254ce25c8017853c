import { z } from 'zod';

/** The parameters of a list, as the official client sends them. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Items on a page.' }),
  order: z.enum(['asc', 'desc']).default('desc').meta({ description: 'The newest first, or the oldest.' }),
  after: z.string().max(100).optional().meta({ description: 'The id of the last item seen.' }),
});
export type PageQuery = z.output<typeof pageQuery>;

export interface ListedItem {
  id: string;
  type: string;
}

export const itemListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(z.looseObject({ id: z.string(), type: z.string() })),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'OpenAIItemList', description: 'A page of items.' });

/** A page of items that are given in the order that is asked for. An `after` that is not among them begins nothing. */
export function pageOf(items: readonly ListedItem[], { limit, after }: PageQuery): object {
  const from = after === undefined ? 0 : items.findIndex(({ id }) => id === after) + 1;
  const rest = after !== undefined && from === 0 ? [] : items.slice(from);
  const data = rest.slice(0, limit);
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: rest.length > limit,
  };
}
