import { json, Router, type Request } from 'express';
import { z } from 'zod';
import { ApiError, errorBody, invalidRequest } from '../api-error.ts';
import { checkContentType, checkHeaders } from '../check-headers.ts';
import { describeError } from '../describe-error.ts';
import { newSimId } from '../ids.ts';
import { requestIdOf } from '../request-id.ts';
import { sendJson } from '../send-json.ts';
import type { Simulation } from '../simulation.ts';
import { answerRequest } from './answer-request.ts';
import type { TakenBatch } from './batches.ts';

const bodySchema = z.strictObject({
  requests: z
    .array(z.strictObject({ custom_id: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/), params: z.unknown() }))
    .min(1)
    .max(100_000),
});
const querySchema = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(20),
  after_id: z.string().optional(),
});

const DAY_MS = 86_400_000;

/** The Message Batches of the API. The requests of a batch are in the ledger from when it is taken. */
export function batchRoutes(simulation: Simulation): Router {
  const router = Router();
  const keyOf = (request: Request): string =>
    checkHeaders(request.headers, simulation.script.api_keys).apiKey;
  const find = (request: Request, id: string | undefined): TakenBatch => {
    const batch = simulation.batches.get(id ?? '', keyOf(request));
    if (batch === null) throw new ApiError(404, 'Not Found');
    return batch;
  };

  router.post('/', json({ limit: 256 * 1024 * 1024 }), (request, response) => {
    const headers = checkHeaders(request.headers, simulation.script.api_keys);
    checkContentType(request.headers);
    const { duration_ms: durationMs, lose_responses: lost, status } = simulation.script.batches;
    if (status !== undefined) throw new ApiError(status, 'Batches are refused now.');
    const body = bodySchema.safeParse(request.body);
    if (!body.success) throw invalidRequest('requests: Input should be a valid list of requests');
    const { requests } = body.data;
    if (new Set(requests.map(({ custom_id: id }) => id)).size < requests.length)
      throw invalidRequest('requests: custom_id must be unique');
    const now = Date.now();
    const results = requests.map(({ custom_id: id, params }): TakenBatch['results'][number] => {
      try {
        const message = answerRequest(simulation, params, headers);
        return { type: 'succeeded', line: lineOf(id, { type: 'succeeded', message }) };
      } catch (error) {
        const { type, message } = describeError(error);
        const told = errorBody(type, message, requestIdOf(response));
        return { type: 'errored', line: lineOf(id, { type: 'errored', error: told }) };
      }
    });
    const { apiKey } = headers;
    const batch = { id: newSimId('msgbatch'), apiKey, createdAt: now, endsAt: now + durationMs, results };
    simulation.batches.add(batch);
    if (simulation.batches.losesNext(lost)) request.socket.destroy();
    else sendJson(response, 200, shown(batch));
  });

  router.get('/', (request, response) => {
    const { limit, after_id: after } = querySchema.parse(request.query);
    const all = simulation.batches.of(keyOf(request));
    const start = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
    const page = all.slice(start, start + limit);
    sendJson(response, 200, {
      data: page.map(shown),
      has_more: all.length > start + limit,
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null,
    });
  });

  router.get('/:id', (request, response) => sendJson(response, 200, shown(find(request, request.params.id))));

  router.get('/:id/results', (request, response) => {
    const batch = find(request, request.params.id);
    if (!hasEnded(batch)) throw new ApiError(404, 'No batch result available. Batch has not ended yet.');
    response.setHeader('content-type', 'application/x-jsonl');
    response.end(batch.results.map(({ line }) => line).join('\n'));
  });
  return router;
}

function lineOf(id: string, result: object): string {
  return JSON.stringify({ custom_id: id, result });
}

const hasEnded = ({ endsAt }: TakenBatch): boolean => Date.now() >= endsAt;

function shown(batch: TakenBatch): object {
  const { id, createdAt, endsAt, results } = batch;
  const ended = hasEnded(batch);
  const count = (type: string): number =>
    ended ? results.filter((result) => result.type === type).length : 0;
  return {
    id,
    type: 'message_batch',
    processing_status: ended ? 'ended' : 'in_progress',
    request_counts: {
      processing: ended ? 0 : results.length,
      succeeded: count('succeeded'),
      errored: count('errored'),
      canceled: 0,
      expired: 0,
    },
    created_at: new Date(createdAt).toISOString(),
    expires_at: new Date(createdAt + DAY_MS).toISOString(),
    ended_at: ended ? new Date(endsAt).toISOString() : null,
    archived_at: null,
    cancel_initiated_at: null,
    results_url: ended ? `/v1/messages/batches/${id}/results` : null,
  };
}
