import { byLength } from '../../support/test-length.ts';

/** Only ends a case that would never end. */
export const CASE_LIMIT_MS = byLength({ short: 600_000, long: 1_800_000 });

/** Of a case that kills or freezes them. */
export const WORKERS = byLength({ short: 2, long: 3 });
