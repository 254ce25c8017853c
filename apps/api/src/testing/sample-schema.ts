import { z } from 'zod';
import type { ApiDocument, Schema } from './read-operations.ts';

/** The prefix of the ids that a schema accepts; null where it is not for ids. */
export function idPrefixOf(schema: Schema): string | null {
  const { pattern } = schema;
  return typeof pattern === 'string' ? (/^\^([a-z]+)_\[/.exec(pattern)?.[1] ?? null) : null;
}

const FORMATS: Record<string, string> = {
  uri: 'https://example.com/hook',
  date: '2030-01-01',
  base64: 'aGVsbG8=',
};

const schemas = z.array(z.looseObject({}));
const listSchema = z.object({
  properties: z.record(z.string(), z.looseObject({})).default({}),
  required: z.array(z.string()).default([]),
  minItems: z.number().default(0),
  minLength: z.number().default(1),
  minimum: z.number().optional(),
  items: z.looseObject({}).default({}),
});

/**
 * The smallest value that a schema accepts: only required fields. `ids` gives the id for a prefix.
 * Throws an `Error` for a pattern that has no example.
 */
export function sampleOf(schema: Schema, document: ApiDocument, ids: (prefix: string) => string): unknown {
  const own = document.resolve(schema);
  const inside = (part: Schema): unknown => sampleOf(part, document, ids);
  const prefix = idPrefixOf(own);
  if (prefix !== null) return ids(prefix);
  if (own['const'] !== undefined) return own['const'];
  if (Array.isArray(own['enum'])) return own['enum'][0];
  const variants = schemas.safeParse(own['anyOf'] ?? own['oneOf']);
  if (variants.success && variants.data[0] !== undefined) return inside(variants.data[0]);
  const { properties, required, minItems, minLength, minimum, items } = listSchema.parse(own);
  switch (own['type']) {
    case 'object':
      return Object.fromEntries(required.map((name) => [name, inside(properties[name] ?? {})]));
    case 'array':
      return Array.from({ length: minItems }, () => inside(items));
    case 'integer':
    case 'number':
      return minimum ?? 1;
    case 'boolean':
      return true;
    case 'string':
      return sampleText(own, minLength);
    default:
      return 'sample';
  }
}

let moments = 0;

/** Each after the previous one, as the two ends of a range must be. */
function nextMoment(): string {
  moments += 1;
  return new Date(Date.UTC(2026, 0, 1) + moments * 1_000).toISOString();
}

function sampleText(schema: Schema, minLength: number): string {
  const { format, pattern, example, examples } = schema;
  if (format === 'date-time') return nextMoment();
  if (typeof format === 'string' && FORMATS[format] !== undefined) return FORMATS[format];
  const shown: unknown = example ?? (Array.isArray(examples) ? examples[0] : undefined);
  if (typeof shown === 'string') return shown;
  const text = 'sample'.padEnd(minLength, 'e');
  if (typeof pattern === 'string' && !new RegExp(pattern).test(text)) {
    throw new Error(`No sample matches ${pattern}: give its schema an example.`);
  }
  return text;
}
