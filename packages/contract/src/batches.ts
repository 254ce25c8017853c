import { z } from 'zod';
import { agentVersionSchema } from './agents.ts';
import { formText, parseJson } from './form-fields.ts';
import { idSchema } from './ids.ts';
import { metadataSchema } from './metadata.ts';
import { startTurnSchema, turnSchema } from './turns.ts';

/** The most lines that the service itself takes; a tenant's limit may be lower. */
export const MAX_BATCH_LINES = 100_000;
/** Interactive turns of the tenant come first. */
export const BATCH_PRIORITY = -50;

const { shape } = startTurnSchema;

/** What lines and defaults have alike: a turn as `POST /v1/turns` takes it, without its input and its time. */
const settings = {
  agent_id: idSchema('agent')
    .optional()
    .meta({ description: 'The agent of a session that the turn creates.' }),
  agent_version: agentVersionSchema
    .optional()
    .meta({ description: 'Default: the version that is newest when the batch is accepted.' }),
  metadata: shape.metadata,
  deadline_ms: shape.deadline_ms.meta({
    description:
      'The turn ends as `incomplete` this long after it was started by the batch. Default: one day.',
  }),
  priority: shape.priority.meta({
    description: `Turns with a higher priority run first. Default: ${BATCH_PRIORITY}, behind turns that were not submitted in a batch.`,
  }),
  budget_micros: shape.budget_micros,
  overrides: shape.overrides,
  webhook_url: shape.webhook_url,
  session_metadata: shape.session_metadata,
  user_id: shape.user_id,
  session_budget_micros: shape.session_budget_micros,
};

export const batchDefaultsSchema = z
  .strictObject(settings)
  .meta({ id: 'BatchDefaults', description: 'What each line has that does not say otherwise.' });
export type BatchDefaults = z.infer<typeof batchDefaultsSchema>;

const customIdSchema = z
  .string()
  .min(1)
  .max(128)
  .meta({ description: 'Names the line in the results. Unique in the batch.' });

export const batchLineSchema = z
  .strictObject({
    custom_id: customIdSchema,
    session_id: idSchema('session')
      .optional()
      .meta({ description: 'An existing session. Its lines become turns in their order.' }),
    input: shape.input,
    ...settings,
  })
  .meta({ id: 'BatchLine', description: 'One turn of a batch.' });
export type BatchLine = z.infer<typeof batchLineSchema>;

const about = {
  defaults: batchDefaultsSchema.optional(),
  metadata: metadataSchema.optional(),
};

/** The JSON of a request: the lines are in it. */
export const createBatchSchema = z
  .strictObject({ ...about, items: z.array(batchLineSchema).min(1).max(MAX_BATCH_LINES) })
  .meta({ id: 'CreateBatch' });
export type CreateBatch = z.infer<typeof createBatchSchema>;

/** The fields of a form whose file has the lines: each is JSON. */
export const batchFormSchema = z.strictObject({
  defaults: formText(parseJson, batchDefaultsSchema).optional(),
  metadata: formText(parseJson, metadataSchema).optional(),
});
export type BatchForm = z.infer<typeof batchFormSchema>;

export const BATCH_STATUSES = ['in_progress', 'paused', 'cancelling', 'completed', 'cancelled'] as const;
export const batchStatusSchema = z.enum(BATCH_STATUSES);
export type BatchStatus = z.infer<typeof batchStatusSchema>;

const count = (description: string) => z.int().nonnegative().meta({ description });

export const batchCountsSchema = z
  .object({
    total: count('Lines of the batch.'),
    pending: count('Not a turn yet.'),
    queued: count('Turns that wait.'),
    in_progress: count('Turns that run.'),
    requires_action: count('Turns that wait for a client.'),
    completed: count('Turns that completed.'),
    failed: count('Turns that failed.'),
    incomplete: count('Turns that were stopped by a limit.'),
    cancelled: count('Turns that were cancelled or erased, and lines that never became one.'),
    refused: count('Lines that could not become a turn any more: `error` of the result says why.'),
  })
  .meta({ id: 'BatchCounts', description: 'Lines by their state. Together they are `total`.' });
export type BatchCounts = z.infer<typeof batchCountsSchema>;

/** Why no more lines become turns at the moment. */
export const batchWaitSchema = z.enum(['budget_exceeded', 'queue_full', 'session_limit', 'file_not_ready']);
export type BatchWait = z.infer<typeof batchWaitSchema>;

export const batchSchema = z
  .object({
    id: idSchema('batch'),
    object: z.literal('batch'),
    status: batchStatusSchema,
    counts: batchCountsSchema,
    defaults: batchDefaultsSchema,
    metadata: metadataSchema,
    waiting_for: batchWaitSchema
      .nullable()
      .meta({ description: 'Why no more lines become turns at the moment.' }),
    created_at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Batch', description: 'Many turns that were submitted together.' });
export type Batch = z.infer<typeof batchSchema>;

/** One line of the results. */
export const batchResultSchema = z
  .object({
    line: z
      .int()
      .positive()
      .meta({ description: 'The number of the line in the batch, from 1; empty ones are not counted.' }),
    custom_id: z.string(),
    status: z.enum(['completed', 'failed', 'incomplete', 'cancelled', 'refused']),
    turn: turnSchema
      .nullable()
      .meta({ description: 'Null where the line never became a turn, or the turn was erased.' }),
    error: z
      .object({ code: z.string(), message: z.string() })
      .nullable()
      .meta({ description: 'Why there is no turn.' }),
  })
  .meta({ id: 'BatchResult', description: 'What became of one line.' });
export type BatchResult = z.infer<typeof batchResultSchema>;

/** What a turn is submitted with: the line, and the defaults for what it leaves out. */
export function lineWithDefaults(
  line: Omit<BatchLine, 'custom_id'>,
  defaults: BatchDefaults,
): Omit<BatchLine, 'custom_id'> {
  const {
    agent_id: agentId,
    agent_version: version,
    session_metadata,
    session_budget_micros,
    user_id,
    ...others
  } = defaults;
  if (line.session_id !== undefined) return { ...others, ...line };
  // A version is that of an agent: another agent's line does not have it.
  const ofAgent = line.agent_id === undefined ? { agent_id: agentId, agent_version: version } : {};
  const given = { ...others, session_metadata, session_budget_micros, user_id, ...ofAgent, ...line };
  return given;
}
