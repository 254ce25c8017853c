import {
  idSchema,
  isFinal,
  isSettled,
  pageLimitSchema,
  pageSchema,
  stepSchema,
  turnSchema,
  turnStatusSchema,
} from '@turnpike/contract';
import { listSteps, listTurns, readTurn } from '@turnpike/store';
import { z } from 'zod';
import { cancelTurn } from '../cancel-turn.ts';
import { decodePosition, encodePosition, pageOf } from '../cursor.ts';
import { anyOf, metadataFilter, timeFilters, timesOf } from '../list-filters.ts';
import { preferredWait } from '../preferred-wait.ts';
import { noTurn, readSettledTurn } from '../read-settled-turn.ts';
import { defineRoute, type Route } from '../route.ts';

const MAX_WAIT_SECONDS = 60;

const none = z.object({});
const params = z.object({ turn_id: idSchema('turn') });

export const turnRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/turns/:turn_id',
    operationId: 'getTurn',
    summary: 'Read a turn, at once or as soon as it has ended or requires an action',
    tag: 'Turns',
    scope: 'turns:read',
    params,
    query: z.object({
      wait: z.coerce
        .number()
        .int()
        .min(0)
        .max(MAX_WAIT_SECONDS)
        .optional()
        .meta({ description: 'Seconds to wait at most.' }),
    }),
    headers: z.object({
      Prefer: z.string().optional().meta({ description: '`wait=30` (RFC 7240), as the parameter `wait`.' }),
    }),
    response: {
      status: 200,
      description: 'The turn in its current state.',
      schema: turnSchema,
      headers: z.object({ 'Retry-After': z.string(), 'Preference-Applied': z.string() }),
    },
    problems: ['not_found'],
    async handle({ tenantId, params: { turn_id: id }, query, header, whenGone }, services) {
      const preferred = preferredWait(header('prefer'), MAX_WAIT_SECONDS);
      const seconds = query.wait ?? preferred ?? 0;
      const turn = await readSettledTurn(services, tenantId, id, seconds * 1000, whenGone);
      const headers: Record<string, string> = {};
      if (query.wait === undefined && preferred !== undefined)
        headers['Preference-Applied'] = `wait=${preferred}`;
      if (!isSettled(turn.status)) headers['Retry-After'] = '1';
      return { status: 200, headers, body: turn };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns/:turn_id/cancel',
    operationId: 'cancelTurn',
    summary: 'Cancel a turn, in any state before its end',
    tag: 'Turns',
    scope: 'turns:write',
    params,
    query: none,
    response: {
      status: 202,
      description:
        'Cancelled, or `cancelling` until its worker has stopped. A turn that has ended is unchanged.',
      schema: turnSchema,
    },
    problems: ['not_found'],
    async handle(call, services) {
      const { turn, afterCommit } = await cancelTurn(services, call, call.params.turn_id);
      const headers = isFinal(turn.status) ? {} : { 'Retry-After': '1' };
      return { status: 202, headers, body: turn, afterCommit };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/turns',
    operationId: 'listTurns',
    summary: 'List turns, newest first',
    tag: 'Turns',
    mayLag: true,
    scope: 'turns:read',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('turn').optional(),
      session_id: idSchema('session').optional(),
      parent_turn_id: idSchema('turn').optional().meta({ description: 'Only child turns of this turn.' }),
      agent_id: idSchema('agent').optional(),
      status: anyOf(turnStatusSchema),
      ...timeFilters,
      metadata: metadataFilter,
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(turnSchema).meta({ id: 'TurnList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const filter = {
        sessionId: query.session_id,
        parentTurnId: query.parent_turn_id,
        agentId: query.agent_id,
        statuses: query.status,
        ...timesOf(query),
        metadata: query.metadata,
      };
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
    scope: 'turns:read',
    params,
    query: z.object({ limit: pageLimitSchema, cursor: z.string().max(100).optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(stepSchema).meta({ id: 'StepList' }),
    },
    problems: ['not_found', 'invalid_cursor'],
    async handle({ tenantId, params: { turn_id: id }, query, sql }, { database }) {
      const [after = -1] = query.cursor === undefined ? [] : decodePosition(query.cursor, 1);
      if ((await readTurn(sql, tenantId, id)) === null) throw noTurn(id);
      const steps = await listSteps(database, id, { after, limit: query.limit + 1 });
      return { status: 200, body: pageOf(steps, query.limit, (step) => encodePosition([step.index])) };
    },
  }),
];
