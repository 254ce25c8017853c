import { z } from 'zod';

/** Tokens as the Messages API counts them. `input_tokens` excludes tokens read from or written to a cache. */
export const usageSchema = z
  .object({
    input_tokens: z.int().nonnegative(),
    output_tokens: z.int().nonnegative(),
    cache_creation_input_tokens: z.int().nonnegative(),
    cache_read_input_tokens: z.int().nonnegative(),
  })
  .meta({ id: 'Usage', description: 'Tokens, summed over the finished model calls.' });
export type Usage = z.infer<typeof usageSchema>;

export const NO_USAGE: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};
