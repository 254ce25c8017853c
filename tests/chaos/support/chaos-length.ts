import { byLength } from '../../support/test-length.ts';

/** Only ends a case that would never end. */
export const CASE_LIMIT_MS = byLength({ short: 300_000, long: 1_800_000 });
