import { metadataSchema, type Session } from '@turnpike/contract';
import { z } from 'zod';
import { selectList } from '../database/select-list.ts';

export const storedSessionSchema = z.object({
  id: z.string(),
  agentId: z.string(),
  metadata: metadataSchema,
  userId: z.string().nullable(),
  lastSequence: z.int(),
  budgetMicros: z.coerce.number().int().nullable(),
  parentSessionId: z.string().nullable(),
  forkedFrom: z.string().nullable(),
  forkedTurnId: z.string().nullable(),
  forkedStep: z.int().nullable(),
  rerunOf: z.string().nullable(),
  createdAt: z.date(),
});

/** The select list that `storedSessionSchema` reads; `sessions` must be in scope by that name. */
export const SESSION_COLUMNS = selectList(storedSessionSchema, 'sessions');

/** A session as clients see it. */
export const sessionRow = storedSessionSchema.transform((row): Session => ({
  id: row.id,
  object: 'session',
  agent_id: row.agentId,
  metadata: row.metadata,
  user_id: row.userId,
  turn_count: row.lastSequence,
  budget_micros: row.budgetMicros,
  parent_session_id: row.parentSessionId,
  forked_from:
    row.forkedFrom === null
      ? null
      : {
          session_id: row.forkedFrom,
          turn_id: row.forkedTurnId,
          step_index: row.forkedStep,
          rerun_of: row.rerunOf,
        },
  created_at: row.createdAt.toISOString(),
}));
