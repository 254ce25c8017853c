import { z } from 'zod';

/** Postgres, JavaScript and JSON all represent this range, and every year has four digits. */
const FIRST_MS = Date.UTC(1970, 0, 1);
const END_MS = Date.UTC(10_000, 0, 1);

const isInRange = (ms: number): boolean => ms >= FIRST_MS && ms < END_MS;
const IN_RANGE = 'must be a time from 1970 to 9999';

/**
 * A timestamp from a client, with its offset (RFC 3339), converted to UTC: Postgres does not accept every offset
 * that RFC 3339 allows.
 */
export const timestampSchema = z.iso
  .datetime({ offset: true, abort: true })
  .refine((text) => isInRange(Date.parse(text)), { error: IN_RANGE, abort: true })
  .overwrite((text) => new Date(text).toISOString());

/** A calendar day in UTC from a client. */
export const dateSchema = z.iso.date({ abort: true }).refine((text) => isInRange(Date.parse(text)), IN_RANGE);
