import {
  idSchema,
  isFinal,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  turnFactSchema,
} from '@turnpike/contract';
import {
  findSessionLog,
  findTurnLog,
  readSessionFacts,
  sessionExists,
  type PositionedFact,
} from '@turnpike/store';
import { z } from 'zod';
import { defineRoute, type Route, type RouteResult } from '../route.ts';
import {
  checkSessionPosition,
  givenCursor,
  parseSessionCursor,
  readTurnCursor,
  sessionCursor,
  turnCursor,
} from '../streams/event-cursor.ts';
import { feedOfTurn } from '../streams/feed-of-turn.ts';
import type { FeedSource } from '../streams/feed.ts';
import { NativeFrames } from '../streams/native-frames.ts';

const query = z.object({
  after: z.string().max(40).optional().meta({ description: 'The cursor of the last event seen: its `id`.' }),
  limit: pageLimitSchema.meta({ description: 'Items on a page; a stream has no limit.' }),
});
const headers = z.object({
  'Last-Event-ID': z.string().optional().meta({ description: 'As `after`, and takes precedence over it.' }),
});
const eventResponse = {
  status: 200,
  description: 'A stream of events; with `Accept: application/json`, one page of those so far.',
  schema: pageSchema(turnFactSchema).meta({ id: 'TurnFactList' }),
  stream:
    'Server-sent events. Each has its type as `event` and a `TurnEvent` as `data`, in one line of JSON; all but ' +
    '`message.delta` and `tool.progress` have their cursor as `id`.',
};

export const eventRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/turns/:turn_id/events',
    operationId: 'streamTurnEvents',
    summary: "Follow a turn's events, from the start or a cursor, to its end",
    tag: 'Events',
    scope: 'turns:read',
    params: z.object({ turn_id: idSchema('turn') }),
    query,
    headers,
    response: {
      ...eventResponse,
      empty: 'No event follows the cursor: the turn has ended with it.',
    },
    problems: ['not_found', 'invalid_cursor', 'cursor_expired', 'too_many_streams'],
    async handle({ tenantId, params: { turn_id: turnId }, query: { after, limit }, header }, services) {
      const { pool } = services.database;
      const log = await findTurnLog(pool, tenantId, turnId);
      if (log === null) throw new ProblemError('not_found', `There is no turn ${turnId}.`);
      const position = readTurnCursor(givenCursor(header('last-event-id'), after), log);
      const source = feedOfTurn(pool, tenantId, turnId, log);
      if (wantsPage(header('accept')))
        return pageOf(await source.read(position, limit + 1), limit, turnCursor);
      if (isFinal(log.status) && position.sequenceNumber === log.eventCount) return { status: 204 };
      return {
        status: 200,
        stream: (response) => {
          const frames = new NativeFrames(turnCursor, { endsWithTurn: true });
          services.streams.serve(response, { tenantId, source, position, turnId, frames });
        },
      };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/sessions/:session_id/events',
    operationId: 'streamSessionEvents',
    summary: "Follow the events of a session's turns, one turn after another",
    tag: 'Events',
    scope: 'turns:read',
    params: z.object({ session_id: idSchema('session') }),
    query,
    headers,
    response: eventResponse,
    problems: ['not_found', 'invalid_cursor', 'cursor_expired', 'too_many_streams'],
    async handle({ tenantId, params: { session_id: sessionId }, query: { after, limit }, header }, services) {
      const { pool } = services.database;
      const cursor = givenCursor(header('last-event-id'), after);
      const position = parseSessionCursor(cursor);
      const log = await findSessionLog(pool, tenantId, sessionId, position.turnSequence);
      if (log === null) throw new ProblemError('not_found', `There is no session ${sessionId}.`);
      if (cursor !== undefined) checkSessionPosition(position, log);
      const source: FeedSource = {
        key: sessionId,
        sessionId,
        read: (from, most) => readSessionFacts(pool, sessionId, { after: from, limit: most }),
        isThere: () => sessionExists(pool, tenantId, sessionId),
      };
      if (wantsPage(header('accept')))
        return pageOf(await source.read(position, limit + 1), limit, sessionCursor);
      const { turnId } = log;
      return {
        status: 200,
        stream: (response) => {
          const frames = new NativeFrames(sessionCursor, { endsWithTurn: false });
          services.streams.serve(response, { tenantId, source, position, turnId, frames });
        },
      };
    },
  }),
];

/** A request that accepts JSON and no stream gets a page: EventSource and curl get the stream. */
function wantsPage(accept: string | undefined): boolean {
  return accept !== undefined && /application\/json/i.test(accept) && !/text\/event-stream/i.test(accept);
}

function pageOf(
  facts: readonly PositionedFact[],
  limit: number,
  cursorOf: (position: PositionedFact['position']) => string,
): RouteResult {
  const page = facts.slice(0, limit);
  const last = page.at(-1);
  const nextCursor = facts.length > limit && last !== undefined ? cursorOf(last.position) : null;
  const items = page.map(({ fact }) => fact);
  return { status: 200, body: { object: 'list', items, next_cursor: nextCursor } };
}
