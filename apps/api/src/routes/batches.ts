import {
  batchResultSchema,
  batchSchema,
  batchStatusSchema,
  createBatchSchema,
  idSchema,
  MAX_BATCH_LINES,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  type Batch,
} from '@turnpike/contract';
import { deleteBatch, listBatches, moveBatch, openBatch, readBatch, type BatchMove } from '@turnpike/store';
import { z } from 'zod';
import { batchForm, receiveItems } from '../batches/receive-batch.ts';
import { sendResults } from '../batches/send-results.ts';
import { checkCount } from '../check-count.ts';
import { pageOf } from '../cursor.ts';
import { anyOf, timeFilters, timesOf } from '../list-filters.ts';
import { defineRoute, located, type Route } from '../route.ts';

const params = z.object({ batch_id: idSchema('batch') });
const none = z.object({});
const receivedLines = z.object({ lineCount: z.int() });

const ACTS: Record<BatchMove, string> = {
  pause: 'batch.paused',
  resume: 'batch.resumed',
  cancel: 'batch.cancelled',
};

const move = (name: BatchMove, summary: string): Route =>
  defineRoute({
    method: 'post',
    path: `/v1/batches/:batch_id/${name}`,
    operationId: `${name}Batch`,
    summary,
    tag: 'Batches',
    scope: 'turns:write',
    audit: ACTS[name],
    params,
    query: none,
    response: {
      status: 200,
      description: 'The batch. One that has ended is unchanged.',
      schema: batchSchema,
    },
    problems: ['not_found'],
    async handle({ tenantId, params: { batch_id: id }, sql }, { nudgeBatches }) {
      const batch = await moveBatch(sql, tenantId, id, name);
      if (batch === null) throw noBatch(id);
      return { status: 200, body: batch, afterCommit: () => nudgeBatches(tenantId) };
    },
  });

export const batchRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/batches',
    operationId: 'createBatch',
    summary: 'Submit many turns at once',
    description:
      'As `multipart/form-data`, the file is JSONL with a turn on each line, after the other fields; it may have ' +
      `${MAX_BATCH_LINES} lines. As JSON, the lines are \`items\`. Each line is checked before one is accepted: with an ` +
      'invalid line, none is, and `errors` has the numbers of the lines. Empty lines are not counted.',
    tag: 'Batches',
    scope: 'turns:write',
    audit: 'batch.created',
    params: none,
    query: none,
    body: createBatchSchema,
    form: batchForm,
    response: {
      status: 202,
      description: 'The batch is stored. Its lines become turns a few at a time.',
      schema: batchSchema,
      headers: located,
    },
    problems: ['batch_limit', 'batch_too_large', 'metadata_too_large', 'not_ready'],
    async handle(call, services) {
      const { tenantId, limits, body, received, sql } = call;
      await checkCount(sql, { tenantId, limits }, 'batches');
      const stored =
        received === null
          ? await receiveItems(call, services, body)
          : { id: received.id, ...receivedLines.parse(received.body) };
      const batch = await openBatch(sql, { tenantId, ...stored });
      if (batch === null) throw new ProblemError('not_ready', 'The upload took too long. Send it again.');
      return {
        status: 202,
        headers: { Location: `/v1/batches/${batch.id}` },
        body: batch,
        audited: { details: { lines: batch.counts.total } },
        afterCommit() {
          received?.keep();
          services.nudgeBatches(tenantId);
        },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/batches',
    operationId: 'listBatches',
    summary: 'List batches, newest first',
    tag: 'Batches',
    scope: 'turns:read',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('batch').optional(),
      status: anyOf(batchStatusSchema),
      ...timeFilters,
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(batchSchema).meta({ id: 'BatchList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const batches = await listBatches(sql, tenantId, page, { ...timesOf(query), status: query.status });
      return { status: 200, body: pageOf(batches, query.limit, (batch: Batch) => batch.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/batches/:batch_id',
    operationId: 'getBatch',
    summary: 'Read a batch and how far it is',
    tag: 'Batches',
    scope: 'turns:read',
    params,
    query: none,
    response: { status: 200, description: 'The batch.', schema: batchSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { batch_id: id }, sql }) {
      const batch = await readBatch(sql, tenantId, id);
      if (batch === null) throw noBatch(id);
      return { status: 200, body: batch };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/batches/:batch_id/results',
    operationId: 'getBatchResults',
    summary: 'Read what became of the lines, in their order',
    description:
      'JSONL. It may be read before the batch has ended: it has the results up to the first line that has none. ' +
      'Continue with `after`, the last `line` that was read.',
    tag: 'Batches',
    scope: 'turns:read',
    params,
    query: z.object({
      after: z.coerce.number().int().min(0).max(MAX_BATCH_LINES).default(0).meta({
        description: 'The `line` of the last result that was read.',
      }),
      limit: z.coerce.number().int().min(1).max(MAX_BATCH_LINES).optional().meta({
        description: 'Results at most. Default: all.',
      }),
    }),
    response: { status: 200, description: 'One result on each line.', lines: batchResultSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { batch_id: id }, query, sql }, { database, reportError }) {
      if ((await readBatch(sql, tenantId, id)) === null) throw noBatch(id);
      const page = { after: query.after, limit: query.limit ?? null };
      return sendResults(database.pool, { tenantId, id }, page, (error) =>
        reportError(error, { batch_id: id }),
      );
    },
  }),

  move('pause', 'Pause a batch: turns that are open go on, and no line becomes one'),
  move('resume', 'Resume a batch that was paused'),
  move('cancel', 'Cancel a batch: its open turns are cancelled, and no line becomes one'),

  defineRoute({
    method: 'delete',
    path: '/v1/batches/:batch_id',
    operationId: 'deleteBatch',
    summary: 'Delete a batch that has ended; its turns and sessions stay',
    tag: 'Batches',
    scope: 'turns:write',
    audit: 'batch.deleted',
    params,
    query: none,
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found', 'batch_not_ended'],
    async handle({ tenantId, params: { batch_id: id }, sql }, { nudgeBatches }) {
      if (!(await deleteBatch(sql, tenantId, id))) {
        const batch = await readBatch(sql, tenantId, id);
        if (batch === null) throw noBatch(id);
        throw new ProblemError(
          'batch_not_ended',
          `${id} is ${batch.status}: cancel it before you delete it.`,
        );
      }
      return { status: 204, afterCommit: () => nudgeBatches(tenantId) };
    },
  }),
];

function noBatch(id: string): ProblemError {
  return new ProblemError('not_found', `There is no batch ${id}.`);
}
