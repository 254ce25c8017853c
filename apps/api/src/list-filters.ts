import { metadataSchema, timestampSchema } from '@turnpike/contract';
import { z } from 'zod';

const momentOf = (description: string) =>
  timestampSchema
    .transform((text) => new Date(text))
    .optional()
    .meta({ description, example: '2026-11-30T12:00:00Z' });

/** Parameters of a list that filter it by the time of creation. */
export const timeFilters = {
  created_after: momentOf('Created at this time or later.'),
  created_before: momentOf('Created before this time.'),
};

/** The values of `timeFilters` as the store has them. */
export function timesOf(query: { created_after?: Date | undefined; created_before?: Date | undefined }) {
  return { createdAfter: query.created_after, createdBefore: query.created_before };
}

/** The parameter of a list that filters it by metadata: `metadata[customer]=c-42`, as OpenAPI's `deepObject`. */
export const metadataFilter = metadataSchema.optional().meta({
  description: 'With all of these entries: `metadata[customer]=c-42`.',
  example: { customer: 'c-42' },
  param: { style: 'deepObject', explode: true },
});

/** Any of several values: the parameter is repeated, or has commas between them. */
export function anyOf<Word extends string>(
  words: z.ZodEnum<Record<Word, Word>>,
): z.ZodType<Word[] | undefined> {
  const { options } = words;
  return z
    .union([z.string(), z.array(z.string())])
    .transform((given) => [given].flat().flatMap((text) => text.split(',')))
    .pipe(z.array(words).max(options.length))
    .optional()
    .meta({
      description: 'Any of these; repeat the parameter, or separate values with commas.',
      override({ jsonSchema }) {
        delete jsonSchema.anyOf;
        Object.assign(jsonSchema, { type: 'array', items: { type: 'string', enum: options } });
      },
    });
}
