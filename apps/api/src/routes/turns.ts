import {
  idSchema,
  isFinal,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  startTurnSchema,
  stepSchema,
  submitTurnSchema,
  turnSchema,
  turnStatusSchema,
  type Turn,
} from '@turnpike/contract';
import { listSteps, listTurns, readTurn } from '@turnpike/store';
import { acceptTurn, acceptTurnWithSession } from '@turnpike/turns';
import { z } from 'zod';
import { decodePlace, encodePlace, pageOf } from '../cursor.ts';
import { preferredWait } from '../preferred-wait.ts';
import { defineRoute, type Answer, type Route, type Services } from '../route.ts';

const MAX_WAIT_SECONDS = 60;

const none = z.object({});
const params = z.object({ turn_id: idSchema('turn') });
const acceptedAnswer = {
  status: 202,
  description: 'The turn is stored, and will be run.',
  schema: turnSchema,
  headers: z.object({ Location: z.string(), 'Retry-After': z.string() }),
};
const noTurn = (id: string): ProblemError => new ProblemError('not_found', `There is no turn ${id}.`);

export const turnRoutes: Route[] = [
  defineRoute({
    method: 'post',
    path: '/v1/sessions/:session_id/turns',
    operationId: 'submitTurn',
    summary: 'Submit a turn to a session',
    tag: 'Turns',
    params: z.object({ session_id: idSchema('session') }),
    query: none,
    body: submitTurnSchema,
    answer: acceptedAnswer,
    problems: ['not_found', 'agent_deleted'],
    async handle({ tenantId, params: { session_id: sessionId }, body, sql }, services) {
      const accepted = await acceptTurn(sql, tenantId, sessionId, body);
      return answerAccepted(accepted, tenantId, services);
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns',
    operationId: 'startTurn',
    summary: 'Submit a turn that makes its session',
    tag: 'Turns',
    params: none,
    query: none,
    body: startTurnSchema,
    answer: acceptedAnswer,
    problems: ['not_found'],
    async handle({ tenantId, body, sql }, services) {
      const accepted = await acceptTurnWithSession(sql, tenantId, body);
      return answerAccepted(accepted, tenantId, services);
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/turns/:turn_id',
    operationId: 'getTurn',
    summary: 'Read a turn, at once or as soon as it has ended or needs something',
    tag: 'Turns',
    params,
    query: z.object({
      wait: z.coerce
        .number()
        .int()
        .min(0)
        .max(MAX_WAIT_SECONDS)
        .optional()
        .meta({ description: 'Seconds to wait for an end.' }),
    }),
    headers: z.object({
      Prefer: z.string().optional().meta({ description: '`wait=30` (RFC 7240), as the parameter `wait`.' }),
    }),
    answer: { status: 200, description: 'The turn as it is now.', schema: turnSchema },
    problems: ['not_found'],
    async handle({ tenantId, params: { turn_id: id }, query, header, signal }, services) {
      const preferred = preferredWait(header('prefer'), MAX_WAIT_SECONDS);
      const seconds = query.wait ?? preferred ?? 0;
      const turn = await readSettledTurn(services, tenantId, id, seconds * 1000, signal);
      const headers: Record<string, string> = {};
      if (query.wait === undefined && preferred !== undefined)
        headers['Preference-Applied'] = `wait=${preferred}`;
      if (!isSettled(turn)) headers['Retry-After'] = '1';
      return { status: 200, headers, body: turn };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/turns',
    operationId: 'listTurns',
    summary: 'List turns, newest first',
    tag: 'Turns',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('turn').optional(),
      session_id: idSchema('session').optional(),
      agent_id: idSchema('agent').optional(),
      status: turnStatusSchema.optional(),
    }),
    answer: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(turnSchema).meta({ id: 'TurnList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const filter = { sessionId: query.session_id, agentId: query.agent_id, status: query.status };
      const turns = await listTurns(sql, tenantId, page, filter);
      return { status: 200, body: pageOf(turns, query.limit, (turn) => turn.id) };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/turns/:turn_id/steps',
    operationId: 'listSteps',
    summary: "List a turn's steps: its journal",
    tag: 'Turns',
    params,
    query: z.object({ limit: pageLimitSchema, cursor: z.string().max(100).optional() }),
    answer: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(stepSchema).meta({ id: 'StepList' }),
    },
    problems: ['not_found', 'invalid_cursor'],
    async handle({ tenantId, params: { turn_id: id }, query, sql }, { database }) {
      const [after = -1] = query.cursor === undefined ? [] : decodePlace(query.cursor, 1);
      if ((await readTurn(sql, tenantId, id)) === null) throw noTurn(id);
      const steps = await listSteps(database, id, { after, limit: query.limit + 1 });
      return { status: 200, body: pageOf(steps, query.limit, (step) => encodePlace([step.index])) };
    },
  }),
];

function answerAccepted(
  { turn, isHead }: { turn: Turn; isHead: boolean },
  tenantId: string,
  { dispatcher }: Services,
): Answer {
  return {
    status: 202,
    headers: { Location: `/v1/turns/${turn.id}`, 'Retry-After': '1' },
    body: turn,
    // Nobody waits for it: should it fail, the reconciler finds the turn.
    ...(isHead ? { afterCommit: () => dispatcher.changed({ tenantId }) } : {}),
  };
}

/** True when there is nothing left to wait for, or the client is the one who is waited for. */
function isSettled(turn: Turn): boolean {
  return isFinal(turn.status) || turn.status === 'requires_action';
}

async function readSettledTurn(
  { database, waiters }: Services,
  tenantId: string,
  turnId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<Turn> {
  const read = async (): Promise<Turn> => {
    const turn = await readTurn(database.pool, tenantId, turnId);
    if (turn === null) throw noTurn(turnId);
    return turn;
  };
  if (waitMs === 0) return read();
  // Entered before the first look, so that nothing happens unseen between the two.
  const waiter = waiters.enter(turnId, waitMs, signal);
  if (waiter === null) return read();
  try {
    for (;;) {
      const turn = await read();
      if (isSettled(turn)) return turn;
      if ((await waiter.next()) === 'over') return await read();
    }
  } finally {
    waiter.leave();
  }
}
