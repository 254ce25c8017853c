import { exactly, type Setting } from './session-settings.ts';

/** No statement of ours needs longer; one that takes longer holds locks that others wait for. */
export const STATEMENT_TIMEOUT_MS = 15_000;

/** How the sessions of the API and the workers plan: decision 11. */
const PLANNING: readonly Setting[] = [
  // A prepared statement keeps the plan that it got while its tables were small, so it must look rows up by an index
  // from the start.
  exactly('enable_seqscan', 'off'),
  exactly('enable_hashjoin', 'off'),
  exactly('enable_mergejoin', 'off'),
  // Queued rows leave dead entries in indexes. Only an index scan marks them, so that later scans skip them.
  exactly('enable_bitmapscan', 'off'),
  // Plans are the same whatever the values, so a statement needs one, and not one for each of its first executions.
  exactly('plan_cache_mode', 'force_generic_plan'),
  // Made for long reports: compiling a short statement takes longer than running it.
  exactly('jit', 'off'),
];

/** What the sessions of the API and the workers have beside what all our SQL relies on. */
export const SERVICE_SETTINGS: readonly Setting[] = [
  ...PLANNING,
  exactly('statement_timeout', `${STATEMENT_TIMEOUT_MS / 1_000}s`),
  // A process that froze inside a transaction must not keep its locks.
  exactly('idle_in_transaction_session_timeout', '10s'),
];

/** A migration takes as long as it takes, and reads whole tables. A role may have the settings of the service. */
export const MIGRATION_SETTINGS: readonly Setting[] = [
  exactly('enable_seqscan', 'on'),
  exactly('enable_hashjoin', 'on'),
  exactly('enable_mergejoin', 'on'),
  exactly('enable_bitmapscan', 'on'),
  exactly('plan_cache_mode', 'auto'),
  exactly('statement_timeout', '0'),
  exactly('idle_in_transaction_session_timeout', '0'),
];
