import type { AuditDetails, Limits, ProblemCode, Scope } from '@turnpike/contract';
import type { Database, Sql, SecretBox } from '@turnpike/store';
import type { Backplane } from '@turnpike/backplane';
import type { InputSchemas } from '@turnpike/tools';
import type { BudgetCheck, CapacityCache, Dispatcher, RequestedTurn } from '@turnpike/turns';
import type { Response } from 'express';
import { z } from 'zod';
import type { KeyUses } from './key-uses.ts';
import type { Tag } from './openapi/tags.ts';
import type { EventStreams } from './streams/event-streams.ts';
import type { TurnWaiters } from './turn-waiters.ts';

/** What handlers work with. */
export interface Services {
  database: Database;
  backplane: Backplane;
  dispatcher: Dispatcher;
  waiters: TurnWaiters;
  streams: EventStreams;
  secretBox: SecretBox;
  keyUses: KeyUses;
  capacity: CapacityCache;
  budgetCheck: BudgetCheck;
  inputSchemas: InputSchemas;
  /** Throws `EgressRefusedError` for a URL that no webhook and no tool call may be sent to. */
  checkPublicUrl: (url: string) => void;
  /** Of what fails after the response is sent. */
  reportError: (error: unknown, about: Record<string, string>) => void;
}

/** A valid request: whose it is, and what it asks for. */
export interface Call<Params, Query, Body> {
  tenantId: string;
  /** What the tenant may use. */
  limits: Limits;
  params: Params;
  query: Query;
  body: Body;
  /** A header's value, by its name in lower case. */
  header(name: string): string | undefined;
  /** Whether the key has this scope as well, beside the one that the operation requires. */
  may(scope: Scope): boolean;
  /** What a POST writes with: the transaction that also holds its idempotency record, where it has one. */
  sql: Sql;
  /** A signal that aborts when the client has disconnected, for handlers that wait. */
  whenGone(): AbortSignal;
}

/** What a handler returns: the HTTP response, and what is to be done with it. */
export interface RouteResult {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  /**
   * Fields of the body that are shown only this once: they are not in the idempotency record, so a replay of the
   * response does not have them.
   */
  shownOnce?: Record<string, unknown>;
  /** Writes the response itself, in place of a body. Throws as `handle` does, before it has sent anything. */
  stream?: (response: Response) => void;
  /** For the audit log, where the act has more to say than its route and its subject. */
  audited?: { subject?: string; details?: AuditDetails };
  /** Run once what was written is committed. */
  afterCommit?: () => void;
}

/** One operation, declared once: mounted from here, validated from here, documented from here. */
interface Operation<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> {
  method: 'get' | 'post' | 'put' | 'delete';
  /** With parameters as Express has them: `/v1/turns/:turn_id`. */
  path: string;
  operationId: string;
  summary: string;
  /** More about it, for the OpenAPI document. */
  description?: string;
  tag: Tag;
  /**
   * What the act is called in the tenant's audit log, written in the transaction of `handle`, which is to
   * write with `sql` alone. Left out: `audit-act.ts` names it by its operation.
   */
  audit?: string;
  /** As `audit`, where only some requests are such an act: those whose result has `audited`. */
  auditSome?: string;
  /** What the key must be allowed to do. */
  scope: Scope;
  params: Params;
  query: Query;
  /** Where left out, the operation has no body. */
  body?: Body;
  /** Request headers that have a meaning here, for the document. */
  headers?: z.ZodObject;
  response: {
    status: number;
    description: string;
    schema?: z.ZodType;
    /** What it contains, where the response may be a stream of server-sent events. */
    stream?: string;
    /** When the response is 204 instead. */
    empty?: string;
    headers?: z.ZodObject;
  };
  /** Beside those that any request may get. */
  problems: readonly ProblemCode[];
  /**
   * Run first, outside of the transaction that `sql` may be: what is slow, or has a connection of its own.
   * Throws as `handle` does.
   */
  prepare?(
    call: Omit<Call<z.output<Params>, z.output<Query>, z.output<Body>>, 'sql'>,
    services: Services,
  ): Promise<void>;
}

/** An operation with a handler, or one that submits a turn. */
export type Route<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> = Operation<Params, Query, Body> &
  (
    | {
        handle(
          call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
          services: Services,
        ): Promise<RouteResult>;
      }
    | {
        /** The turn that the request asks for. */
        submit(call: { params: z.output<Params>; body: z.output<Body> }): RequestedTurn;
      }
  );

/** The headers of a response to a request that created something, for the document. */
export const located = z.object({ Location: z.string() });

/** Checks a handler's types against its schemas, and returns the route without them. */
export function defineRoute<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType = z.ZodUndefined,
>(route: Route<Params, Query, Body>): Route {
  return route;
}
