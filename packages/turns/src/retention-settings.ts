import type { Purgeable } from '@turnpike/store';
import { z } from 'zod';

/** Days; 0: keep for ever. */
const kept = z.coerce.number().int().min(0).max(36_500).default(0);

/**
 * Retention settings, for the environment of each program that runs the reconciler. Days; 0 keeps for ever.
 */
export const retentionVariables = {
  EVENT_RETENTION_DAYS: z.coerce
    .number()
    .min(0)
    .max(36_500)
    .default(30)
    .describe('Events of turns that ended longer ago are deleted, except the last of each turn. `0`: never.'),
  SESSION_RETENTION_DAYS: kept.describe(
    'Sessions whose turns all ended longer ago are deleted with everything in them. `0`: never.',
  ),
  TURN_RETENTION_DAYS: kept.describe(
    'Turns that ended longer ago are deleted with their steps and messages. `0`: never.',
  ),
  BATCH_RETENTION_DAYS: kept.describe(
    'Batches that ended longer ago are deleted with their lines; their turns are kept. `0`: never.',
  ),
  SCHEDULE_RUN_RETENTION_DAYS: kept
    .default(30)
    .describe('The history of schedules is deleted after this time; their turns are kept. `0`: never.'),
  AGENT_VERSION_RETENTION_DAYS: kept.describe(
    'Agent versions that were replaced longer ago are deleted, and those of deleted agents. `0`: never.',
  ),
  LEDGER_RETENTION_DAYS: kept
    .refine((value) => value === 0 || value >= 32, 'must be 0, or 32 at least')
    .describe(
      'Ledger entries that are older are deleted. At least 32, which a monthly budget needs. `0`: never.',
    ),
  AUDIT_RETENTION_DAYS: kept.describe('Audit entries that are older are deleted. `0`: never.'),
  REVOKED_KEY_RETENTION_DAYS: kept.describe(
    'API keys that were revoked, or expired, longer ago are deleted. `0`: never.',
  ),
};

const environmentSchema = z.object(retentionVariables);

/** Days that each kind is kept; null: for ever. */
export interface RetentionSettings {
  eventRetentionDays: number | null;
  retentionDays: Record<Purgeable, number | null>;
}

export function retentionSettings(environment: z.output<typeof environmentSchema>): RetentionSettings {
  return {
    eventRetentionDays: environment.EVENT_RETENTION_DAYS || null,
    retentionDays: {
      sessions: environment.SESSION_RETENTION_DAYS || null,
      turns: environment.TURN_RETENTION_DAYS || null,
      batches: environment.BATCH_RETENTION_DAYS || null,
      scheduleRuns: environment.SCHEDULE_RUN_RETENTION_DAYS || null,
      agentVersions: environment.AGENT_VERSION_RETENTION_DAYS || null,
      ledgerEntries: environment.LEDGER_RETENTION_DAYS || null,
      auditEntries: environment.AUDIT_RETENTION_DAYS || null,
      revokedKeys: environment.REVOKED_KEY_RETENTION_DAYS || null,
    },
  };
}
