import { randomUUID } from 'node:crypto';
import type {
  Dialect,
  DialectCall,
  DialectResult,
  DialectRoute,
  FollowSession,
} from '@turnpike/dialect-base';
import { findTurnLog, readSessionFacts, sessionExists } from '@turnpike/store';
import { checkBetas, checkSchemas } from '../check-agent.ts';
import { noSession } from '../change-sessions.ts';
import { lacksScope } from '../identify.ts';
import { noTurn } from '../read-settled-turn.ts';
import type { AnyCall, KeyedRequest, Route, RouteResult, Services } from '../route.ts';
import { DialectFrames } from '../streams/dialect-frames.ts';
import { beforeFirstEvent } from '../streams/event-cursor.ts';
import { feedOfTurn } from '../streams/feed-of-turn.ts';
import type { FeedSource } from '../streams/feed.ts';
import { AskedUseCases } from './asked-use-cases.ts';

/** The operations of dialects. `waitMs`: how long one may wait for its turn to end. */
export function routesOf(dialects: readonly Dialect[], waitMs: number): Route[] {
  return dialects.flatMap((dialect) => dialect.routes.map((route) => toRoute(dialect, waitMs, route)));
}

/** A dialect's operation as one of the API: authenticated, limited, validated, audited and documented like any other. */
function toRoute(dialect: Dialect, waitMs: number, route: DialectRoute): Route {
  const { keepsKey = false, seals = false, handle, prepare: given, examples: _examples, ...rest } = route;
  const askingOf = (
    call: Omit<AnyCall, 'sql'>,
  ): DialectCall<AnyCall['params'], AnyCall['query'], unknown> => ({
    params: call.params,
    query: call.query,
    body: call.body,
    header: (name) => call.header(name),
    checkScope(scope) {
      if (!call.may(scope)) throw lacksScope(scope);
    },
    origin: call.origin,
    waitMs,
  });
  const serve = async (
    call: AnyCall,
    services: Services,
    keyed: KeyedRequest | null,
  ): Promise<RouteResult> => {
    const asked = new AskedUseCases(services, call, keyed);
    const result = await handle(askingOf(call), asked.useCases);
    return { ...(await follow(services, call, result)), ...asked.outcome() };
  };
  const prepare = async (
    call: Omit<AnyCall, 'sql'>,
    { secretBox, inputSchemas, modelBetas }: Services,
  ): Promise<void> => {
    if (seals) await secretBox.prepare(call.tenantId);
    await given?.(askingOf(call), {
      async agent(config) {
        checkBetas(modelBetas, config);
        await checkSchemas(inputSchemas, call.tenantId, config);
      },
    });
  };
  const declared = { ...rest, tag: dialect.title, prepare };
  return keepsKey
    ? { ...declared, handleKeyed: serve }
    : { ...declared, handle: (call, services) => serve(call, services, null) };
}

async function follow(
  services: Services,
  { tenantId }: AnyCall,
  { follow: followed, ...result }: DialectResult,
): Promise<RouteResult> {
  if (followed === undefined) return result;
  if ('sessionId' in followed) return { ...result, ...(await followSession(services, tenantId, followed)) };
  const {
    streams,
    database: { pool },
  } = services;
  const { turnId, encoder } = followed;
  const log = await findTurnLog(pool, tenantId, turnId);
  if (log === null) throw noTurn(turnId);
  // An encoder is given every event.
  const position = beforeFirstEvent(log);
  return {
    ...result,
    stream: (response) => {
      response.set(result.headers ?? {});
      streams.serve(response, {
        tenantId,
        source: feedOfTurn(pool, tenantId, turnId, log),
        position,
        turnId,
        frames: new DialectFrames(encoder),
      });
    },
  };
}

/** The feed is the stream's own: what its encoder needs beside the events is read with them. */
async function followSession(
  { streams, database: { pool } }: Services,
  tenantId: string,
  { sessionId, fromTurn, encoder }: FollowSession,
): Promise<Pick<RouteResult, 'stream'>> {
  if (!(await sessionExists(pool, tenantId, sessionId))) throw noSession(sessionId);
  const source: FeedSource = {
    key: `${sessionId} ${randomUUID()}`,
    sessionId,
    async read(after, limit) {
      const facts = await readSessionFacts(pool, sessionId, { after, limit });
      await encoder.prepare?.(facts.map(({ fact }) => fact));
      return facts;
    },
    isThere: () => sessionExists(pool, tenantId, sessionId),
  };
  return {
    stream: (response) =>
      streams.serve(response, {
        tenantId,
        source,
        position: { turnSequence: fromTurn, sequenceNumber: 0 },
        turnId: null,
        frames: new DialectFrames(encoder),
      }),
  };
}
