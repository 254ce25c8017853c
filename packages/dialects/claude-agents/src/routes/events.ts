import { ProblemError } from '@turnpike/contract';
import {
  defineDialectRoute,
  orNotFound,
  refused,
  STREAM_PROBLEMS,
  SUBMIT_PROBLEMS,
  type DialectRoute,
  type UseCases,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import { beta, checkHeaders, listOf, noQuery, noSession, ofSession, pageToken, time } from '../common.ts';
import { EVENT_TYPES } from '../conformance.ts';
import { sendParams } from '../event-params.ts';
import { EventStreamEncoder, type LastSeen } from '../event-stream.ts';
import { decodePlace, encodePlace, EventWalk } from '../event-walk.ts';
import { sendEvents } from '../send-events.ts';
import { TurnContexts } from '../turn-context.ts';
import type { SessionEvent } from '../turn-events.ts';

const eventBody = z
  .looseObject({ id: z.string(), type: z.string(), processed_at: z.string().nullish() })
  .meta({ id: 'ClaudeEvent', description: 'An event of a session of Claude Managed Agents.' });

/** A page has fewer events than it could where they are this large together. */
const MOST_BYTES = 4_000_000;

const DELTAS = ['agent.message', 'agent.thinking'] as const;
const deltas = listOf(DELTAS, '`agent.message`: its text as well, while it is written.');

export const eventRoutes: DialectRoute[] = [
  defineDialectRoute({
    method: 'post',
    path: '/claude/v1/sessions/:session_id/events',
    operationId: 'claudeSendEvents',
    summary: "Send events to a session, as Anthropic's SDK does",
    description:
      'Submits a turn, interrupts the turns of the session, or answers the tools that it waits for.',
    scope: 'turns:write',
    noAct: 'the work itself, in the journal',
    keepsKey: true,
    params: ofSession,
    query: noQuery,
    body: sendParams,
    examples: {
      message: {
        value: {
          events: [{ type: 'user.message', content: [{ type: 'text', text: 'Where is my order?' }] }],
        },
      },
      interrupt: { value: { events: [{ type: 'user.interrupt' }] } },
    },
    response: {
      status: 200,
      description: 'The events, as they were accepted.',
      schema: z.object({ data: z.array(eventBody) }),
    },
    problems: [...SUBMIT_PROBLEMS, 'session_busy'],
    async handle(call, useCases) {
      checkHeaders(call);
      const session = await orNotFound(useCases.sessions.read(call.params.session_id), noSession);
      const data = await sendEvents(useCases, session, call.body.events);
      return { status: 200, body: { data } };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/claude/v1/sessions/:session_id/events',
    operationId: 'claudeListEvents',
    summary: "List the events of a session, as Anthropic's SDK does",
    scope: 'turns:read',
    params: ofSession,
    query: z.object({
      beta,
      limit: z.coerce.number().int().min(1).max(1_000).default(100).meta({ description: 'Items on a page.' }),
      page: pageToken,
      order: z.enum(['asc', 'desc']).default('asc').meta({ description: 'The oldest first, or the newest.' }),
      types: listOf(EVENT_TYPES, 'Only events of these types.'),
      'types[]': listOf(EVENT_TYPES, 'Only events of these types.'),
      'created_at[gt]': time('After this time.'),
      'created_at[gte]': time('At this time or later.'),
      'created_at[lt]': time('Before this time.'),
      'created_at[lte]': time('At this time or before.'),
    }),
    response: {
      status: 200,
      description: 'One page.',
      schema: z
        .object({ data: z.array(eventBody), next_page: z.string().nullable() })
        .meta({ id: 'ClaudeEventPage', description: 'A page of events.' }),
    },
    problems: ['not_found', 'invalid_cursor'],
    async handle(call, useCases) {
      checkHeaders(call);
      const { query, params: given } = call;
      const from = query.page === undefined ? null : decodePlace(query.page);
      const types = query.types ?? query['types[]'];
      const isWanted = ({ type, processed_at: at }: SessionEvent): boolean =>
        (types === undefined || types.some((each) => each === type)) &&
        (query['created_at[gt]'] === undefined || at > query['created_at[gt]']) &&
        (query['created_at[gte]'] === undefined || at >= query['created_at[gte]']) &&
        (query['created_at[lt]'] === undefined || at < query['created_at[lt]']) &&
        (query['created_at[lte]'] === undefined || at <= query['created_at[lte]']);
      const walk = new EventWalk(useCases, given.session_id);
      const events = query.order === 'asc' ? walk.forwards(from) : walk.backwards(from);
      const data: SessionEvent[] = [];
      let last = from;
      let hasMore = false;
      let bytes = 0;
      const list = async (): Promise<void> => {
        for await (const { event, place } of events) {
          if (isWanted(event)) {
            hasMore = data.length === query.limit || bytes > MOST_BYTES;
            if (hasMore) return;
            data.push(event);
            bytes += JSON.stringify(event).length;
          }
          last = place;
        }
        hasMore = walk.isExhausted;
      };
      await orNotFound(list(), noSession);
      return { status: 200, body: { data, next_page: hasMore && last !== null ? encodePlace(last) : null } };
    },
  }),

  defineDialectRoute({
    method: 'get',
    path: '/claude/v1/sessions/:session_id/events/stream',
    operationId: 'claudeStreamEvents',
    summary: "Follow the events of a session, as Anthropic's SDK does",
    description: 'Server-sent events from now on; with `Last-Event-ID`, from after the event with that id.',
    scope: 'turns:read',
    params: ofSession,
    query: z.object({ beta, event_deltas: deltas, 'event_deltas[]': deltas }),
    response: {
      status: 200,
      description: 'The events, as they happen.',
      stream: "Server-sent events as Anthropic's SDK reads them. Each has its own id as `id`.",
    },
    problems: [...STREAM_PROBLEMS, 'invalid_cursor'],
    async handle(call, useCases) {
      checkHeaders(call);
      const { session_id: id } = call.params;
      const showsText = (call.query.event_deltas ?? call.query['event_deltas[]'] ?? []).includes(
        'agent.message',
      );
      const place = await orNotFound(useCases.sessions.place(id), noSession);
      const lastId = call.header('last-event-id') ?? '';
      const from = lastId === '' ? newest(place) : await placeOf(useCases, id, lastId);
      const encoder = new EventStreamEncoder(new TurnContexts(useCases), from?.lastSeen ?? null, showsText);
      return { status: 200, follow: { sessionId: id, fromTurn: from?.turnSequence ?? 0, encoder } };
    },
  }),
];

interface From {
  turnSequence: number;
  lastSeen: LastSeen;
}

/** A stream begins with what happens next. */
function newest(place: Awaited<ReturnType<UseCases['sessions']['place']>>): From | null {
  if (place === null) return null;
  const { turnId, turnSequence, eventCount: sequenceNumber } = place;
  return { turnSequence, lastSeen: { turnId, sequenceNumber, index: Infinity } };
}

const EVENT_ID = /^sevt_[\w-]{1,200}$/;

async function placeOf(useCases: UseCases, id: string, eventId: string): Promise<From> {
  if (!EVENT_ID.test(eventId)) throw refused('Last-Event-ID', 'must be the id of an event');
  const walk = new EventWalk(useCases, id);
  for await (const { event, place, turnId } of walk.backwards(null)) {
    if (event.id !== eventId) continue;
    const { turnSequence, sequenceNumber, index } = place;
    return { turnSequence, lastSeen: { turnId, sequenceNumber, index } };
  }
  throw new ProblemError('invalid_cursor', 'There is no such event of this session, or no longer.');
}
