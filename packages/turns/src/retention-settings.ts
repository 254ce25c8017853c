import type { Purgeable } from '@turnpike/store';
import { z } from 'zod';

const days = z.coerce.number().int().min(0).max(36_500);
/** 0: for ever. */
const kept = days.default(0);

/** How long what is over is kept, for the environment of each program that runs the reconciler. */
export const retentionVariables = {
  /** Events of turns that ended longer ago are deleted, all but the last; 0: never. */
  EVENT_RETENTION_DAYS: z.coerce.number().min(0).max(36_500).default(30),
  /** Sessions without an open turn, whose turns all ended longer ago, are deleted whole. */
  SESSION_RETENTION_DAYS: kept,
  /** Turns that ended longer ago are deleted, with their steps and messages, of sessions that go on too. */
  TURN_RETENTION_DAYS: kept,
  /** Versions that were replaced longer ago, and those of deleted agents. */
  AGENT_VERSION_RETENTION_DAYS: kept,
  /** A budget that is set for a month counts what the month has cost so far. */
  LEDGER_RETENTION_DAYS: kept.refine((value) => value === 0 || value >= 32, 'must be 0, or 32 at least'),
  AUDIT_RETENTION_DAYS: kept,
  /** Keys that were revoked, or expired, longer ago. */
  REVOKED_KEY_RETENTION_DAYS: kept,
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
      agentVersions: environment.AGENT_VERSION_RETENTION_DAYS || null,
      ledgerEntries: environment.LEDGER_RETENTION_DAYS || null,
      auditEntries: environment.AUDIT_RETENTION_DAYS || null,
      revokedKeys: environment.REVOKED_KEY_RETENTION_DAYS || null,
    },
  };
}
