import {
  contentBlockSchema,
  metadataSchema,
  stopReasonSchema,
  turnErrorSchema,
  turnStatusSchema,
} from '@turnpike/contract';
import { z } from 'zod';

/** A turn as clients may see it, in the words of the table. */
export const storedTurnSchema = z.object({
  id: z.string(),
  tenantId: z.string(),
  sessionId: z.string(),
  sequence: z.int(),
  agentId: z.string(),
  agentVersion: z.int(),
  status: turnStatusSchema,
  stopReason: stopReasonSchema.nullable(),
  output: z.array(contentBlockSchema).nullable(),
  error: turnErrorSchema.nullable(),
  metadata: metadataSchema,
  inputTokens: z.int(),
  outputTokens: z.int(),
  cacheCreationInputTokens: z.int(),
  cacheReadInputTokens: z.int(),
  stepCount: z.int(),
  attempts: z.int(),
  createdAt: z.date(),
  startedAt: z.date().nullable(),
  finishedAt: z.date().nullable(),
  deadlineAt: z.date(),
});
export type StoredTurn = z.infer<typeof storedTurnSchema>;

/** The select list that `storedTurnSchema` reads; `turns` must be in scope by that name. */
export const TURN_COLUMNS = `
  turns.id, turns.tenant_id AS "tenantId", turns.session_id AS "sessionId", turns.sequence,
  turns.agent_id AS "agentId", turns.agent_version AS "agentVersion", turns.status,
  turns.stop_reason AS "stopReason", turns.output, turns.error, turns.metadata,
  turns.input_tokens AS "inputTokens", turns.output_tokens AS "outputTokens",
  turns.cache_creation_input_tokens AS "cacheCreationInputTokens",
  turns.cache_read_input_tokens AS "cacheReadInputTokens",
  turns.step_count AS "stepCount", turns.attempts, turns.created_at AS "createdAt",
  turns.started_at AS "startedAt", turns.finished_at AS "finishedAt", turns.deadline_at AS "deadlineAt"`;
