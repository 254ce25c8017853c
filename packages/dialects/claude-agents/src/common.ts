import { idSchema, ProblemError, timestampSchema, type IdKind } from '@turnpike/contract';
import { refused, type DialectCall } from '@turnpike/dialect-base';
import { z } from 'zod';

/** Accepted where the client says that it wants none. */
export const none = (why: string) => z.null(`is not supported: ${why}`).optional();
export const empty = (why: string) => z.array(z.unknown()).max(0, `must be empty: ${why}`).nullish();

/** The parameter that older clients send with every request. */
export const beta = z.literal('true').optional().meta({ description: 'Without effect.' });

/** The query of a request that takes no other parameter. */
export const noQuery = z.object({ beta });

/** The path of what is of one session. */
export const ofSession = z.object({ session_id: idSchema('session') });

/** A bound of a list. */
export const time = (description: string) => timestampSchema.optional().meta({ description });

export const pageLimit = z.coerce
  .number()
  .int()
  .min(1)
  .max(100)
  .default(20)
  .meta({ description: 'Items on a page.' });

export const pageToken = z
  .string()
  .max(100)
  .optional()
  .meta({ description: 'The `next_page` of the page before.' });

/** A parameter that may be given several times, as the SDK writes lists. */
export function listOf<Words extends readonly [string, ...string[]]>(words: Words, description: string) {
  const word = z.enum(words);
  return z
    .union([z.string(), z.array(z.string())])
    .transform((given) => [given].flat())
    .pipe(z.array(word).max(words.length))
    .optional()
    .meta({
      description,
      override({ jsonSchema }: { jsonSchema: Record<string, unknown> }) {
        delete jsonSchema['anyOf'];
        Object.assign(jsonSchema, { type: 'array', items: { type: 'string', enum: [...words] } });
      },
    });
}

/** A key is of one tenant: there are no workspaces to choose from. Betas and versions change nothing here. */
export function checkHeaders({ header }: Pick<DialectCall<unknown, unknown, unknown>, 'header'>): void {
  if (header('anthropic-workspace-id') !== undefined)
    throw refused('anthropic-workspace-id', 'is not supported: an API key is of one tenant');
}

/** Without the id: another tenant's and one of nobody look alike. */
export const noAgent = (): ProblemError => new ProblemError('not_found', 'There is no such agent.');
export const noSession = (): ProblemError => new ProblemError('not_found', 'There is no such session.');

export const metadataNames = { description: 'Labels of the client.', example: { customer: 'c-42' } };

/** The `next_page` after an object, where a list is in the order of their ids. */
export const encodePage = (id: string): string => Buffer.from(id).toString('base64url');

/** Throws `invalid_cursor` for anything that `encodePage` did not return for an id of this kind. */
export function decodePage(token: string | undefined, kind: IdKind): string | null {
  if (token === undefined) return null;
  const parsed = idSchema(kind).safeParse(Buffer.from(token, 'base64url').toString());
  if (parsed.success) return parsed.data;
  throw new ProblemError('invalid_cursor', 'The page is not from a list of this kind.');
}
