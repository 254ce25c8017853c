import { z } from 'zod';
import type { ApiDocument, Schema } from '../read-operations.ts';
import { idPrefixOf, sampleOf } from '../sample-schema.ts';
import { ODD_DAYS, ODD_JSON, ODD_MOMENTS, ODD_NUMBERS, ODD_TEXTS } from './odd-values.ts';
import type { Random } from './random.ts';

/** What values are generated from. */
export interface Maker {
  random: Random;
  document: ApiDocument;
  /** How many more values may violate their schema: where all do, nothing passes the first check. */
  odd: { places: number };
  /** An id with this prefix, of any tenant. */
  idOf: (prefix: string) => string;
}

const partSchema = z.looseObject({
  type: z.unknown().optional(),
  format: z.string().optional(),
  properties: z.record(z.string(), z.looseObject({})).default({}),
  required: z.array(z.string()).default([]),
  items: z.looseObject({}).optional(),
  minItems: z.number().default(0),
  additionalProperties: z.union([z.boolean(), z.looseObject({})]).optional(),
});
const variantsSchema = z.array(z.looseObject({})).min(1);

/** A value of this schema with some of its optional fields, and odd values at some paths. */
export function makeValue(schema: Schema, maker: Maker): unknown {
  const { random, document } = maker;
  const own = document.resolve(schema);
  if (isOdd(maker, oddnessOf(own))) return oddFor(own, random);
  const prefix = idPrefixOf(own);
  if (prefix !== null) return maker.idOf(prefix);
  const variants = variantsSchema.safeParse(own['anyOf'] ?? own['oneOf']).data;
  if (variants !== undefined) return makeValue(variants[random.below(variants.length)] ?? {}, maker);
  const part = partSchema.parse(own);
  if (part.type === 'object') return makeObject(part, maker);
  if (part.type === 'array') {
    const length = part.minItems + random.below(2);
    return Array.from({ length }, () => makeValue(part.items ?? {}, maker));
  }
  if (part.format === 'date-time') return new Date(Date.now() + random.below(86_400_000)).toISOString();
  const sample = sampleOf(own, document, maker.idOf);
  // Of several names no two may be equal.
  return sample === 'sample' ? `sample-${random.below(1_000_000)}` : sample;
}

/** An odd value hides everything inside it. */
function oddnessOf({ type, format }: Schema): number {
  if (typeof format === 'string') return 0.5;
  return type === 'object' || type === 'array' ? 0.04 : 0.15;
}

/** True with this probability, while odd values are left. */
export function isOdd({ random, odd }: Maker, probability: number): boolean {
  if (odd.places === 0 || !random.chance(probability)) return false;
  odd.places -= 1;
  return true;
}

function makeObject(part: z.infer<typeof partSchema>, maker: Maker): object {
  const { random } = maker;
  const fields = random
    .rotate(Object.entries(part.properties))
    .filter(([name]) => part.required.includes(name) || random.chance(0.4))
    .map(([name, schema]): [string, unknown] => [name, makeValue(schema, maker)]);
  const { additionalProperties: more } = part;
  if (typeof more === 'object' && random.chance(0.7)) {
    const takesAnything = Object.keys(more).length === 0;
    fields.push(['label', takesAnything && isOdd(maker, 0.6) ? oddValue(random) : makeValue(more, maker)]);
  }
  if (isOdd(maker, 0.1)) fields.push([oddText(random), oddValue(random)]);
  return Object.fromEntries(fields);
}

/** Likely to be valid, and unlikely to be expected. */
export function oddFor({ type, format }: Schema, random: Random): unknown {
  if (random.chance(0.3)) return oddValue(random);
  if (format === 'date-time') return pickFrom(ODD_MOMENTS, random);
  if (format === 'date') return pickFrom(ODD_DAYS, random);
  if (type === 'integer' || type === 'number') return pickFrom(ODD_NUMBERS, random);
  return type === 'string' ? oddText(random) : oddValue(random);
}

function oddValue(random: Random): unknown {
  return random.pick<() => unknown>([
    () => null,
    () => random.chance(0.5),
    () => [],
    () => ({}),
    () => oddText(random),
    () => pickFrom(ODD_NUMBERS, random),
    () => rawJson(pickFrom(ODD_JSON, random)),
    () => rawJson(pickFrom(ODD_JSON, random)),
  ])();
}

export const oddText = (random: Random): string => pickFrom(ODD_TEXTS, random);

function pickFrom<Item>(items: readonly [Item, ...Item[]], random: Random): Item {
  return random.pick(items);
}

const RAW = 'raw-json:';
const rawJson = (text: string): string => RAW + text;

/** As `JSON.stringify`, with raw JSON text written unchanged. */
export function writeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/"raw-json:((?:[^"\\]|\\.)*)"/g, (_, text: string) =>
    z.string().parse(JSON.parse(`"${text}"`)),
  );
}
