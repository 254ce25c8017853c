import { metadataSchema, timestampSchema } from '@turnpike/contract';
import { z } from 'zod';

const momentOf = (description: string) =>
  timestampSchema
    .transform((text) => new Date(text))
    .optional()
    .meta({ description, example: '2026-11-30T12:00:00Z' });

/** Parameters of a list that narrow it by when things were made. */
export const timeFilters = {
  created_after: momentOf('Made at this time or later.'),
  created_before: momentOf('Made before this time.'),
};

/** What `timeFilters` gave, as the store has it. */
export function timesOf(query: { created_after?: Date | undefined; created_before?: Date | undefined }) {
  return { createdAfter: query.created_after, createdBefore: query.created_before };
}

/** The parameter of a list that narrows it by labels: `metadata[customer]=c-42`, as OpenAPI's `deepObject`. */
export const metadataFilter = metadataSchema.optional().meta({
  description: 'With all of these entries: `metadata[customer]=c-42`.',
  example: { customer: 'c-42' },
  param: { style: 'deepObject', explode: true },
});

/** Any of several words: the parameter once for each, or once with commas between them. */
export function anyOf<Word extends string>(words: z.ZodEnum<Record<Word, Word>>) {
  const { options } = words;
  return z
    .union([z.string(), z.array(z.string())])
    .transform((given) => [given].flat().flatMap((text) => text.split(',')))
    .pipe(z.array(words).max(options.length))
    .optional()
    .meta({
      description: 'Any of these; the parameter may come several times, or once with commas.',
      override: { type: 'array', anyOf: undefined, items: { type: 'string', enum: options } },
    });
}
