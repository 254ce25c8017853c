import {
  idSchema,
  isFinal,
  isSettled,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  resumeTurnSchema,
  startTurnSchema,
  stepSchema,
  submitToolOutputsSchema,
  submitTurnSchema,
  turnSchema,
  turnStatusSchema,
  type AuditDetails,
  type Turn,
} from '@turnpike/contract';
import {
  listSteps,
  listTurns,
  readTurn,
  type AcceptedTurn,
  type CancelledTurn,
  type Sql,
  type StoredResponse,
} from '@turnpike/store';
import {
  acceptTurn,
  acceptTurnOnce,
  acceptTurnWithSession,
  acceptTurnWithSessionOnce,
  answerAction,
  announceTurns,
  cancelTurn,
  resumeTurn,
  type Acceptance,
} from '@turnpike/turns';
import { z } from 'zod';
import { decodePosition, encodePosition, pageOf } from '../cursor.ts';
import { checkPublicUrl } from '../check-public-url.ts';
import { anyOf, metadataFilter, timeFilters, timesOf } from '../list-filters.ts';
import { preferredWait } from '../preferred-wait.ts';
import { defineRoute, type Answer, type Call, type Route, type Services } from '../route.ts';

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
    scope: 'turns:write',
    params: z.object({ session_id: idSchema('session') }),
    query: none,
    body: submitTurnSchema,
    answer: acceptedAnswer,
    problems: [
      'not_found',
      'agent_deleted',
      'session_busy',
      'queue_full',
      'budget_exceeded',
      'metadata_too_large',
    ],
    prepare: checkSubmission,
    share(call, services, { request, keep }) {
      const { tenantId, params: path, body, traceparent } = call;
      const answer = (accepted: AcceptedTurn): StoredResponse =>
        keep(answerAccepted({ ...accepted, cancelled: [] }, tenantId, services));
      return submitOnce(call, services, () =>
        acceptTurnOnce(services.database, tenantId, path.session_id, body, traceparent, { request, answer }),
      );
    },
    async handle(call, services) {
      const { tenantId, params: path, body, traceparent } = call;
      const accepted = await submit(call, services, (sql, waiting) =>
        acceptTurn(sql, tenantId, path.session_id, body, { waiting }, traceparent),
      );
      return answerAccepted(accepted, tenantId, services);
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns',
    operationId: 'startTurn',
    summary: 'Submit a turn that makes its session',
    tag: 'Turns',
    scope: 'turns:write',
    params: none,
    query: none,
    body: startTurnSchema,
    answer: acceptedAnswer,
    problems: ['not_found', 'queue_full', 'session_limit', 'budget_exceeded', 'metadata_too_large'],
    prepare: checkSubmission,
    async share(call, services, { request, keep }) {
      const { tenantId, body, traceparent } = call;
      if (call.limitToEnforce('sessions') !== null) return null;
      const answer = (accepted: AcceptedTurn): StoredResponse =>
        keep(answerStarted(accepted, tenantId, services));
      return submitOnce(call, services, () =>
        acceptTurnWithSessionOnce(services.database, tenantId, body, traceparent, { request, answer }),
      );
    },
    async handle(call, services) {
      const { tenantId, body, traceparent } = call;
      const sessions = call.limitToEnforce('sessions');
      const accepted = await submit(call, services, (sql, waiting) =>
        acceptTurnWithSession(sql, tenantId, body, { waiting, sessions }, traceparent),
      );
      return answerStarted(accepted, tenantId, services);
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns/:turn_id/resume',
    operationId: 'resumeTurn',
    summary: 'Submit a turn that goes on where another stopped before it had an answer',
    tag: 'Turns',
    scope: 'turns:write',
    params,
    query: none,
    body: resumeTurnSchema,
    answer: acceptedAnswer,
    problems: [
      'not_found',
      'not_resumable',
      'agent_deleted',
      'queue_full',
      'budget_exceeded',
      'metadata_too_large',
    ],
    prepare: checkSubmission,
    async handle(call, services) {
      const { tenantId, params: path, body, traceparent } = call;
      const accepted = await submit(call, services, (sql, waiting) =>
        resumeTurn(sql, tenantId, path.turn_id, body, { waiting }, traceparent),
      );
      return answerAccepted({ ...accepted, cancelled: [] }, tenantId, services);
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/turns/:turn_id',
    operationId: 'getTurn',
    summary: 'Read a turn, at once or as soon as it has ended or needs something',
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
        .meta({ description: 'Seconds to wait for an end.' }),
    }),
    headers: z.object({
      Prefer: z.string().optional().meta({ description: '`wait=30` (RFC 7240), as the parameter `wait`.' }),
    }),
    answer: {
      status: 200,
      description: 'The turn as it is now.',
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
    summary: 'Cancel a turn, in whatever state before its end',
    tag: 'Turns',
    scope: 'turns:write',
    params,
    query: none,
    answer: {
      status: 202,
      description:
        'Cancelled, or `cancelling` until its worker has stopped; one that has ended stays as it is.',
      schema: turnSchema,
    },
    problems: ['not_found'],
    async handle({ tenantId, params: { turn_id: id }, sql }, services) {
      const { turn, cancelled } = await cancelTurn(sql, tenantId, id);
      return {
        status: 202,
        headers: isFinal(turn.status) ? {} : { 'Retry-After': '1' },
        body: turn,
        afterCommit: () => tellOfCancelled(cancelled === null ? [] : [cancelled], turn, tenantId, services),
      };
    },
  }),

  defineRoute({
    method: 'post',
    path: '/v1/turns/:turn_id/tool_outputs',
    operationId: 'submitToolOutputs',
    summary: 'Answer what a turn in `requires_action` waits for',
    tag: 'Turns',
    scope: 'turns:write',
    params,
    query: none,
    body: submitToolOutputsSchema,
    answer: { status: 202, description: 'The turn; it goes on once all is answered.', schema: turnSchema },
    problems: ['not_found', 'no_action_required', 'tool_call_settled'],
    // To act a second time for certain is a decision that somebody must answer for.
    auditSome: 'tool_call.sent_again',
    async handle({ tenantId, params: { turn_id: id }, body, sql }, { backplane, dispatcher }) {
      const { turn, resumes, sentAgain } = await answerAction(sql, tenantId, id, body);
      const { session_id: sessionId } = turn;
      return {
        status: 202,
        headers: { 'Retry-After': '1' },
        body: turn,
        ...(sentAgain.length === 0 ? {} : { audited: { details: detailsOf(sentAgain) } }),
        afterCommit() {
          if (resumes) dispatcher.changed({ sessionId, tenantId });
          backplane.live.changed({ sessionId, turnId: id, eventCount: null });
        },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/turns',
    operationId: 'listTurns',
    summary: 'List turns, newest first',
    tag: 'Turns',
    scope: 'turns:read',
    params: none,
    query: z.object({
      limit: pageLimitSchema,
      cursor: idSchema('turn').optional(),
      session_id: idSchema('session').optional(),
      agent_id: idSchema('agent').optional(),
      status: anyOf(turnStatusSchema),
      ...timeFilters,
      metadata: metadataFilter,
    }),
    answer: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(turnSchema).meta({ id: 'TurnList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const page = { cursor: query.cursor ?? null, limit: query.limit + 1 };
      const filter = {
        sessionId: query.session_id,
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
    answer: {
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

/** A request that asks for a turn, whatever it makes the turn of. */
type Submission = Pick<
  Call<unknown, unknown, { webhook_url?: string | undefined }>,
  'tenantId' | 'limitToEnforce' | 'sql' | 'body'
>;

function detailsOf(sentAgain: readonly { id: string; name: string }[]): AuditDetails {
  return { tool_calls: sentAgain.map(({ id }) => id), tools: sentAgain.map(({ name }) => name) };
}

async function checkSubmission({ body }: Pick<Submission, 'body'>, services: Services): Promise<void> {
  checkPublicUrl(body.webhook_url, 'webhook_url', services);
}

/** What every submission passes: the budget, and the room that its tenant has for turns that wait. */
async function submit<Accepted extends AcceptedTurn>(
  { tenantId, limitToEnforce, sql }: Submission,
  services: Services,
  accept: (sql: Sql, waiting: number | null) => Promise<Accepted>,
): Promise<Accepted> {
  await services.budgetCheck.pass(sql, tenantId);
  return accept(sql, limitToEnforce('waiting'));
}

/** As `submit`, in a transaction that others share: null where nothing was stored, or where something must be counted. */
async function submitOnce(
  { tenantId, limitToEnforce }: Pick<Submission, 'tenantId' | 'limitToEnforce'>,
  services: Services,
  accept: () => Promise<StoredResponse | null>,
): Promise<StoredResponse | null> {
  if (limitToEnforce('waiting') !== null) return null;
  // Whoever was accepted before the budget was spent has that answer still: `handle` finds out.
  return (await services.budgetCheck.isClosed(services.database.pool, tenantId)) ? null : accept();
}

/** To a submission that made its session. */
function answerStarted(accepted: AcceptedTurn, tenantId: string, services: Services): Answer {
  const answer = answerAccepted({ ...accepted, cancelled: [] }, tenantId, services);
  return {
    ...answer,
    afterCommit() {
      services.room.added('sessions', tenantId, accepted.counted.sessions);
      answer.afterCommit?.();
    },
  };
}

function answerAccepted(
  { turn, isHead, counted, cancelled }: Acceptance,
  tenantId: string,
  services: Services,
): Answer {
  return {
    status: 202,
    headers: { Location: `/v1/turns/${turn.id}`, 'Retry-After': '1' },
    body: turn,
    // Nobody waits for it: should it fail, the reconciler finds the turn.
    afterCommit() {
      services.room.added('waiting', tenantId, counted.waiting);
      if (isHead) services.dispatcher.added(tenantId);
      services.backplane.live.changed({ sessionId: turn.session_id, turnId: turn.id, eventCount: null });
      tellOfCancelled(cancelled, turn, tenantId, services);
    },
  };
}

/** Workers that hold one of them stop it, and clients that wait look again; a worker not reached learns of it by its heartbeat. */
function tellOfCancelled(
  cancelled: readonly CancelledTurn[],
  turn: Turn,
  tenantId: string,
  { backplane, dispatcher, reportError }: Services,
): void {
  if (cancelled.length === 0) return;
  dispatcher.changed({ sessionId: turn.session_id, tenantId });
  const signals = cancelled.map(({ turnId, status }) => ({ turn_id: turnId, status }));
  announceTurns(backplane, signals).catch((error: unknown) => {
    reportError(error, { tenant_id: tenantId, session_id: turn.session_id, turn_id: turn.id });
  });
}

async function readSettledTurn(
  { database, waiters }: Services,
  tenantId: string,
  turnId: string,
  waitMs: number,
  whenGone: () => AbortSignal,
): Promise<Turn> {
  const read = async (): Promise<Turn> => {
    const turn = await waiters.reads.read(`${tenantId} ${turnId}`, () =>
      readTurn(database.pool, tenantId, turnId),
    );
    if (turn === null) throw noTurn(turnId);
    return turn;
  };
  if (waitMs === 0) return read();
  // Entered before the first look, so that nothing happens unseen between the two.
  const waiter = waiters.enter(turnId, waitMs, whenGone());
  if (waiter === null) return read();
  try {
    for (;;) {
      const turn = await read();
      if (isSettled(turn.status)) return turn;
      if ((await waiter.next()) === 'over') return await read();
    }
  } finally {
    waiter.leave();
  }
}
