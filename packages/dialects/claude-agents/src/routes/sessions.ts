import {
  createSessionSchema,
  idSchema,
  startTurnSchema,
  type Agent,
  type Metadata,
  type Session,
} from '@turnpike/contract';
import {
  defineDialectRoute,
  orNotFound,
  parse,
  refused,
  SUBMIT_PROBLEMS,
  type DialectRoute,
  type UseCases,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import {
  beta,
  checkHeaders,
  decodePage,
  encodePage,
  noAgent,
  noQuery,
  noSession,
  ofSession,
  pageLimit,
  pageToken,
  time,
} from '../common.ts';
import { createdBetween } from '../created-at.ts';
import { laterInTheirWords } from '../errors.ts';
import { inputBlocks } from '../input-blocks.ts';
import { checkStrategy, LABELS, patchLabels, withLabels } from '../labels.ts';
import { microsOf } from '../money.ts';
import { createSessionParams, updateSessionParams, type CreateSessionParams } from '../session-params.ts';
import { readSessionBody, sessionBodies, sessionBody } from '../session.ts';

const refusedParameter = (why: string) =>
  z
    .never(`is not supported: ${why}`)
    .optional()
    .meta({ description: `Refused: ${why}.` });

const sessionPage = z
  .object({
    data: z.array(sessionBody),
    next_page: z.string().nullable(),
    prev_page: z.string().nullable(),
  })
  .meta({ id: 'ClaudeSessionPage', description: 'A page of sessions.' });

/** What a new session is made of. */
async function contentsOf(
  useCases: UseCases,
  body: CreateSessionParams,
): Promise<{ agent: Agent; metadata: Metadata; budget: number | undefined }> {
  const asked = typeof body.agent === 'string' ? { id: body.agent, version: undefined } : body.agent;
  const agent = await useCases.agents.read(asked.id, asked.version);
  if (agent === null) throw noAgent();
  if (agent.metadata[LABELS.archivedAt] !== undefined)
    throw refused('agent', 'is archived: it gets no new sessions');
  const metadata = withLabels(patchLabels({}, body.metadata ?? {}), {
    [LABELS.environmentId]: body.environment_id,
    [LABELS.agentVersion]: String(agent.version),
    ...(body.title == null || body.title === '' ? {} : { [LABELS.title]: body.title }),
  });
  checkStrategy(metadata);
  return { agent, metadata, budget: body.budget == null ? undefined : microsOf(body.budget) };
}

/** Creates a session with what is to be kept with it; with a first message, in the commit of its turn. */
async function createSession(useCases: UseCases, body: CreateSessionParams): Promise<Session> {
  const [first] = body.initial_events ?? [];
  if (first === undefined) {
    const { agent, metadata, budget } = await contentsOf(useCases, body);
    const created = {
      agent_id: agent.id,
      metadata,
      ...(budget === undefined ? {} : { budget_micros: budget }),
    };
    return useCases.sessions.create(parse(createSessionSchema, created));
  }
  const toTheirs = (path: string): string => path.replace(/^input/, 'initial_events.0.content');
  const { turn } = await useCases.turns.accept(async () => {
    const { agent, metadata, budget } = await contentsOf(useCases, body);
    return laterInTheirWords(toTheirs, async () => {
      const submission = parse(startTurnSchema, {
        agent_id: agent.id,
        agent_version: agent.version,
        input: inputBlocks(first.content),
        session_metadata: metadata,
        ...(budget === undefined ? {} : { session_budget_micros: budget }),
      });
      return useCases.turns.submit({ of: 'new_session', submission });
    });
  });
  return orNotFound(useCases.sessions.read(turn.session_id), noSession);
}

export const sessionRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'post',
    path: '/claude/v1/sessions',
    operationId: 'claudeCreateSession',
    summary: "Create a session, as Anthropic's SDK does",
    description: 'Creates a session of a version of an agent; with a first message, submits its turn.',
    scope: 'turns:write',
    noAct: 'the work itself: a conversation begins',
    keepsKey: true,
    params: z.object({}),
    query: noQuery,
    body: createSessionParams,
    examples: {
      least: { value: { agent: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r', environment_id: 'env_production' } },
    },
    response: { status: 200, description: 'The session.', schema: sessionBody },
    problems: SUBMIT_PROBLEMS,
    async handle(call, useCases) {
      checkHeaders(call);
      const session = await createSession(useCases, call.body);
      return { status: 200, body: await readSessionBody(useCases, session, call) };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/claude/v1/sessions',
    operationId: 'claudeListSessions',
    summary: "List sessions, newest first, as Anthropic's SDK does",
    scope: 'turns:read',
    params: z.object({}),
    query: z.object({
      beta,
      limit: pageLimit,
      page: pageToken,
      agent_id: idSchema('agent').optional().meta({ description: 'Only those of this agent.' }),
      include_archived: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: '`true`: with those that are archived.' }),
      order: z.enum(['desc'], 'must be desc').optional().meta({ description: 'The newest first.' }),
      'created_at[gt]': time('Created after this time.'),
      'created_at[gte]': time('Created at this time or later.'),
      'created_at[lt]': time('Created before this time.'),
      'created_at[lte]': time('Created at this time or before.'),
      agent_version: refusedParameter('sessions are listed by their agent'),
      deployment_id: refusedParameter('there are no deployments'),
      memory_store_id: refusedParameter('there are no memory stores'),
      statuses: refusedParameter('sessions are not listed by their status'),
      'statuses[]': refusedParameter('sessions are not listed by their status'),
    }),
    response: { status: 200, description: 'One page.', schema: sessionPage },
    problems: ['invalid_cursor'],
    async handle(call, useCases) {
      checkHeaders(call);
      const { query } = call;
      const wanted = {
        agentId: query.agent_id,
        ...createdBetween(query),
        withoutLabel: query.include_archived === 'true' ? undefined : LABELS.archivedAt,
      };
      const page = { cursor: decodePage(query.page, 'session'), limit: query.limit + 1 };
      const sessions = await useCases.sessions.list(wanted, page);
      const shown = sessions.slice(0, query.limit);
      const last = shown.at(-1);
      const next = sessions.length > query.limit && last !== undefined ? encodePage(last.id) : null;
      const data = await sessionBodies(useCases, shown, call);
      return { status: 200, body: { data, next_page: next, prev_page: null } };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/claude/v1/sessions/:session_id',
    operationId: 'claudeGetSession',
    summary: "Read a session, as Anthropic's SDK does",
    scope: 'turns:read',
    params: ofSession,
    query: noQuery,
    response: { status: 200, description: 'The session.', schema: sessionBody },
    problems: ['not_found'],
    async handle(call, useCases) {
      checkHeaders(call);
      const session = await orNotFound(useCases.sessions.read(call.params.session_id), noSession);
      return { status: 200, body: await readSessionBody(useCases, session, call) };
    },
  }),

  defineDialectRoute({
    method: 'post',
    path: '/claude/v1/sessions/:session_id',
    operationId: 'claudeUpdateSession',
    summary: "Change the title, the metadata or the budget of a session, as Anthropic's SDK does",
    scope: 'turns:write',
    noAct: 'the work itself: what a client notes of a conversation',
    params: ofSession,
    query: noQuery,
    body: updateSessionParams,
    examples: { least: { value: { title: 'The order 17', metadata: { customer: 'c-42' } } } },
    response: { status: 200, description: 'The session.', schema: sessionBody },
    problems: ['not_found', 'metadata_too_large'],
    async handle(call, useCases) {
      checkHeaders(call);
      const { body, params: given } = call;
      const changing = useCases.sessions.change(given.session_id, ({ metadata: kept }) => {
        const patched = patchLabels(kept, body.metadata ?? {});
        const metadata = withLabels(
          patched,
          body.title === undefined ? {} : { [LABELS.title]: body.title || null },
        );
        checkStrategy(metadata);
        if (body.budget === undefined) return { metadata };
        return { metadata, budget_micros: body.budget === null ? null : microsOf(body.budget) };
      });
      const changed = await orNotFound(changing, noSession);
      return { status: 200, body: await readSessionBody(useCases, changed, call) };
    },
  }),

  defineDialectRoute({
    method: 'delete',
    path: '/claude/v1/sessions/:session_id',
    operationId: 'claudeDeleteSession',
    summary: "Erase a session with all that belongs to it, as Anthropic's SDK does",
    scope: 'turns:write',
    audit: 'session.erased',
    params: ofSession,
    query: noQuery,
    response: {
      status: 200,
      description: 'Deleted.',
      schema: z.object({ id: z.string(), type: z.literal('session_deleted') }),
    },
    problems: ['not_found'],
    async handle(call, useCases) {
      checkHeaders(call);
      const { session_id: id } = call.params;
      await orNotFound(useCases.sessions.erase(id), noSession);
      return { status: 200, body: { id, type: 'session_deleted' } };
    },
  }),

  defineDialectRoute({
    method: 'post',
    path: '/claude/v1/sessions/:session_id/archive',
    operationId: 'claudeArchiveSession',
    summary: "Archive a session, as Anthropic's SDK does",
    description: 'Marks the session: it is not listed, and no further events are accepted here.',
    scope: 'turns:write',
    noAct: 'the work itself: what a client notes of a conversation',
    params: ofSession,
    query: noQuery,
    response: { status: 200, description: 'The session.', schema: sessionBody },
    problems: ['not_found'],
    async handle(call, useCases) {
      checkHeaders(call);
      const now = new Date().toISOString();
      const archiving = useCases.sessions.change(call.params.session_id, ({ metadata }) => ({
        metadata: withLabels(metadata, { [LABELS.archivedAt]: metadata[LABELS.archivedAt] ?? now }),
      }));
      const archived = await orNotFound(archiving, noSession);
      return { status: 200, body: await readSessionBody(useCases, archived, call) };
    },
  }),
];
