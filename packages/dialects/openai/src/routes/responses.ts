import {
  defineDialectRoute,
  orNotFound,
  refused,
  STREAM_PROBLEMS,
  SUBMIT_PROBLEMS,
  type DialectResult,
  type DialectRoute,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import { ask, partOf } from '../ask.ts';
import { noResponse, responseIdSchema } from '../ids.ts';
import { itemListSchema, pageOf, pageQuery } from '../page.ts';
import { readResponse, readSource, readTurnOf } from '../read-response.ts';
import { createResponseSchema } from '../request.ts';
import { ResponseEncoder } from '../response-encoder.ts';
import { bodyOf, responseSchema, type ResponseSource } from '../response.ts';
import { inputItemsOf } from '../turn-items.ts';

const none = z.object({});
const params = z.object({ response_id: responseIdSchema });
const ID = 'resp_01kapjt9e8f7ga5vxq3c2m4n6r';
const AGENT = 'agent_01kapjt9e8f7ga5vxq3c2m4n6r';

const STREAM =
  'Server-sent events as the official client reads them; `sequence_number` is where a stream can be taken up again.';

const streamOf = (source: ResponseSource, part: number, after: number | null): DialectResult => ({
  status: 200,
  follow: { turnId: source.turn.id, encoder: new ResponseEncoder(source, part, after) },
});

export const responseRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'post',
    path: '/openai/v1/responses',
    operationId: 'openaiCreateResponse',
    summary: 'Create a response, as the official client of OpenAI does',
    description:
      'Submits a turn, or outputs for a turn that waits for them. Waits until the response is complete, unless it is to run in the background or is a stream.',
    scope: 'turns:write',
    noAct: 'the work itself, in the journal',
    keepsKey: true,
    params: none,
    query: none,
    body: createResponseSchema,
    examples: {
      background: {
        value: { model: AGENT, input: 'What time is it in Lisbon?', background: true },
      },
      next: {
        value: { model: AGENT, input: 'And in Tokyo?', previous_response_id: ID, background: true },
      },
    },
    response: { status: 200, description: 'The response.', schema: responseSchema, stream: STREAM },
    problems: [...SUBMIT_PROBLEMS, ...STREAM_PROBLEMS],
    async handle({ body, waitMs }, useCases): Promise<DialectResult> {
      const { turn, stepCount } = await ask(useCases, body);
      const source = await readSource(useCases, turn);
      const part = await partOf(useCases, source, stepCount);
      if (body.stream === true) return streamOf(source, part, null);
      if (body.background === true) {
        const accepted = bodyOf(source, part, { status: 'queued', output: [], usage: null });
        return { status: 200, body: accepted };
      }
      const settled = await useCases.turns.settled(turn.id, waitMs);
      return { status: 200, body: await readResponse(useCases, settled, part) };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/openai/v1/responses/:response_id',
    operationId: 'openaiGetResponse',
    summary: 'Read a response, as the official client of OpenAI does',
    scope: 'turns:read',
    params,
    query: z.object({
      stream: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: '`true`: the events of the response, from the first one on.' }),
      starting_after: z.coerce
        .number()
        .int()
        .min(0)
        .max(Number.MAX_SAFE_INTEGER)
        .optional()
        .meta({ description: 'Only events with a higher `sequence_number`; with `stream=true`.' }),
      include_obfuscation: z
        .enum(['false'], 'is not supported')
        .optional()
        .meta({ description: 'Streams are not obfuscated.' }),
    }),
    response: {
      status: 200,
      description: 'The response as it stands.',
      schema: responseSchema,
      stream: STREAM,
    },
    problems: STREAM_PROBLEMS,
    async handle({ params: { response_id: id }, query }, useCases): Promise<DialectResult> {
      const { turn, part } = await readTurnOf(useCases, id);
      if (query.stream === 'true') {
        if (part > 0) await readResponse(useCases, turn, part);
        return streamOf(await readSource(useCases, turn), part, query.starting_after ?? null);
      }
      if (query.starting_after !== undefined)
        throw refused('starting_after', 'is for streams: add stream=true');
      return { status: 200, body: await readResponse(useCases, turn, part) };
    },
  }),

  defineDialectRoute({
    method: 'post',
    path: '/openai/v1/responses/:response_id/cancel',
    operationId: 'openaiCancelResponse',
    summary: 'Cancel a response, as the official client of OpenAI does',
    description: 'Cancels its turn. A response that is complete stays as it is.',
    scope: 'turns:write',
    noAct: 'the work itself: the turn and its events say so',
    params,
    query: none,
    response: { status: 200, description: 'The response as it stands.', schema: responseSchema },
    problems: ['not_found'],
    async handle({ params: { response_id: id } }, useCases) {
      const { turn, part } = await readTurnOf(useCases, id);
      const cancelled = await useCases.turns.cancel(turn.id);
      return { status: 200, body: await readResponse(useCases, cancelled, part) };
    },
  }),

  defineDialectRoute({
    method: 'delete',
    path: '/openai/v1/responses/:response_id',
    operationId: 'openaiDeleteResponse',
    summary: 'Erase a response that is its whole conversation, as the official client of OpenAI does',
    description: 'A response of a longer conversation is erased with it: delete the conversation.',
    scope: 'turns:write',
    audit: 'session.erased',
    params,
    query: none,
    response: {
      status: 200,
      description: 'Deleted.',
      schema: z.object({ id: z.string(), object: z.literal('response'), deleted: z.literal(true) }),
    },
    problems: ['not_found'],
    async handle({ params: { response_id: id } }, useCases) {
      const { turn } = await readTurnOf(useCases, id);
      const turns = await useCases.turns.list({ sessionId: turn.session_id }, { limit: 2 });
      if (turns.length > 1)
        throw refused(
          'response_id',
          'is one of several responses of its conversation: delete the conversation',
        );
      await orNotFound(useCases.sessions.erase(turn.session_id), noResponse);
      return { status: 200, body: { id, object: 'response', deleted: true } };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/openai/v1/responses/:response_id/input_items',
    operationId: 'openaiListInputItems',
    summary: 'List what a response was asked for with, as the official client of OpenAI does',
    scope: 'turns:read',
    params,
    query: pageQuery,
    response: { status: 200, description: 'One page.', schema: itemListSchema },
    problems: ['not_found'],
    async handle({ params: { response_id: id }, query }, useCases) {
      const { turn, part } = await readTurnOf(useCases, id);
      const items = await inputItemsOf(useCases, turn, part);
      return { status: 200, body: pageOf(query.order === 'asc' ? items : items.toReversed(), query) };
    },
  }),
];
