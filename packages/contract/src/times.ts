import { z } from 'zod';

/** Postgres takes these, in every form that JavaScript and JSON know, and no year needs more than four digits. */
const FIRST_MS = Date.UTC(1970, 0, 1);
const END_MS = Date.UTC(10_000, 0, 1);

const isInRange = (ms: number): boolean => ms >= FIRST_MS && ms < END_MS;
const IN_RANGE = 'must be a time from 1970 to 9999';

/**
 * A moment that a client gives, with its offset (RFC 3339), as the same moment in UTC: what comes out is taken
 * by Postgres, whatever the offset was.
 */
export const timestampSchema = z.iso
  .datetime({ offset: true, abort: true })
  .refine((text) => isInRange(Date.parse(text)), { error: IN_RANGE, abort: true })
  .overwrite((text) => new Date(text).toISOString());

/** A day of UTC that a client gives. */
export const dateSchema = z.iso.date({ abort: true }).refine((text) => isInRange(Date.parse(text)), IN_RANGE);
