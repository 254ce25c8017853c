import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** US dollars per million tokens, which is millionths of a dollar per token. */
const rate = z.number().min(0).max(100_000);

const priceSchema = z.strictObject({
  /** The name of a model, or the prefix of the names of its dated releases. */
  model: z.string().min(1).max(200),
  /** The first day, in UTC, on which it applies. */
  from: z.iso.date(),
  input: rate,
  output: rate,
  cache_write: rate,
  cache_read: rate,
  /** What all of these are multiplied by with `speed: "fast"`. */
  fast: z.number().min(1).max(100).default(6),
});
export type Price = z.infer<typeof priceSchema>;

const tableSchema = z.strictObject({
  as_of: z.iso.date(),
  unit: z.literal('US dollars per million tokens'),
  prices: z.array(priceSchema).min(1).max(10_000),
});

export interface PriceTable {
  /**
   * The price of a model at a time, in milliseconds since 1970. A model that is not listed costs as much as the most
   * expensive one, so that an unknown name overruns no budget.
   */
  priceOf(model: string, at: number): Price;
}

const BUNDLED = new URL('../prices.json', import.meta.url);

/**
 * Reads the bundled price table, and an operator's own of the same form where `overridePath` names one, which replaces
 * the bundled prices of each model that it lists. Throws where a file is not such a table.
 */
export function readPrices(overridePath?: string): PriceTable {
  const bundled = readTable(BUNDLED);
  const overrides = overridePath === undefined ? [] : readTable(overridePath);
  const replaced = new Set(overrides.map((price) => price.model));
  return tableOf([...overrides, ...bundled.filter((price) => !replaced.has(price.model))]);
}

function readTable(file: URL | string): Price[] {
  const table = tableSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (table.success) return table.data.prices;
  throw new Error(`${String(file)} is not a price table: ${z.prettifyError(table.error)}`);
}

function tableOf(prices: readonly Price[]): PriceTable {
  const highest = prices.reduce((most, price) => (price.output > most.output ? price : most));
  return {
    priceOf(model, at) {
      const day = new Date(at).toISOString().slice(0, 10);
      const named = prices.filter((price) => isNamed(model, price) && price.from <= day);
      // The longest name is the closest match, and of its prices the latest applies.
      const [closest] = named.toSorted(
        (a, b) => b.model.length - a.model.length || b.from.localeCompare(a.from),
      );
      return closest ?? highest;
    },
  };
}

/** `claude-sonnet-4-5-20250929` is a release of `claude-sonnet-4-5`, `claude-sonnet-4-50` is not. */
function isNamed(model: string, price: Price): boolean {
  return model === price.model || model.startsWith(`${price.model}-`);
}
