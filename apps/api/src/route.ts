import type { AuditDetails, Limits, ProblemCode, Scope } from '@turnpike/contract';
import type { Database, IdempotentRequest, Sql, StoredResponse, SecretBox } from '@turnpike/store';
import type { Backplane } from '@turnpike/backplane';
import type { InputSchemas } from '@turnpike/tools';
import type { Dispatcher } from '@turnpike/turns';
import type { Response } from 'express';
import { z } from 'zod';
import type { BudgetCheck } from './budget-check.ts';
import type { KeyUses } from './key-uses.ts';
import type { Counted, CapacityCache } from './capacity-cache.ts';
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
  room: CapacityCache;
  budgetCheck: BudgetCheck;
  inputSchemas: InputSchemas;
  /** Throws `EgressRefusedError` for a URL that no webhook is sent to, and no call of a tool. */
  checkPublicUrl: (url: string) => void;
  /** What goes wrong after an answer is given. */
  reportError: (error: unknown, about: Record<string, string>) => void;
}

/** A request that was found fit: who asks, and what for. */
export interface Call<Params, Query, Body> {
  tenantId: string;
  /** What the tenant may use. */
  limits: Limits;
  params: Params;
  query: Query;
  body: Body;
  /** A header's value, by its name in lower case. */
  header(name: string): string | undefined;
  /** Whether the key may do this as well, beside what the operation takes. */
  may(scope: Scope): boolean;
  /** The cap that is to be counted under, if any, as `CapacityCache` knows it; one that was named stays so throughout the request. */
  limitToEnforce(counted: Counted): number | null;
  /** What a POST writes with: the transaction that also holds its idempotency record, where it has one. */
  sql: Sql;
  /** The span of the request, for whoever goes on with what it asks for; null where nothing is traced. */
  traceparent: string | null;
  /** A signal that aborts when the client has gone, for who waits. */
  whenGone(): AbortSignal;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  /**
   * Fields that are shown this once, beside those of the body: they are not kept with the answer for whoever
   * sends the same request again, who gets it without them.
   */
  shownOnce?: Record<string, unknown>;
  /** Answers by itself, in place of a body. Throws as `handle` does, before it has sent anything. */
  stream?: (response: Response) => void;
  /** For the audit log, where the act has more to say than its route and its subject. */
  audited?: { subject?: string; details?: AuditDetails };
  /** Run once what was written is committed. */
  afterCommit?: () => void;
}

/** A request with an `Idempotency-Key`. */
export interface KeyedRequest {
  request: IdempotentRequest;
  /** What is kept of an answer for whoever sends the request again; the answer is given once that is committed. */
  keep(answer: Answer): StoredResponse;
}

/** One operation, declared once: mounted from here, checked from here, documented from here. */
export interface Route<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> {
  method: 'get' | 'post' | 'put' | 'delete';
  /** With parameters as Express has them: `/v1/turns/:turn_id`. */
  path: string;
  operationId: string;
  summary: string;
  /** What is to be known beside it, in the document. */
  description?: string;
  tag: Tag;
  /**
   * What the act is called in the tenant's audit log, written in the transaction of `handle`, which is to
   * write with `sql` alone. Left out: see `audit-act.ts`, which names it by its operation.
   */
  audit?: string;
  /** As `audit`, where only some requests are such an act: those whose answer has `audited`. */
  auditSome?: string;
  /** What the key must be allowed to do. */
  scope: Scope;
  params: Params;
  query: Query;
  /** Where left out, the operation takes no body. */
  body?: Body;
  /** Request headers that have a meaning here, for the document. */
  headers?: z.ZodObject;
  answer: {
    status: number;
    description: string;
    schema?: z.ZodType;
    /** What comes in it, where the answer may be a stream of server-sent events. */
    stream?: string;
    /** When the answer is 204 instead. */
    empty?: string;
    headers?: z.ZodObject;
  };
  /** Beside those that any request may meet. */
  problems: readonly ProblemCode[];
  /**
   * Run first, outside of the transaction that `sql` may be: what takes long, or a connection of its own.
   * Throws as `handle` does.
   */
  prepare?(
    call: Omit<Call<z.output<Params>, z.output<Query>, z.output<Body>>, 'sql'>,
    services: Services,
  ): Promise<void>;
  /**
   * As `handle`, for a request with an `Idempotency-Key`, in a transaction that others share and that keeps the
   * answer, which is returned. Null where nothing was done, whatever the reason: then `handle` is called in one of
   * its own.
   */
  share?(
    call: Omit<Call<z.output<Params>, z.output<Query>, z.output<Body>>, 'sql'>,
    services: Services,
    keyed: KeyedRequest,
  ): Promise<StoredResponse | null>;
  handle(call: Call<z.output<Params>, z.output<Query>, z.output<Body>>, services: Services): Promise<Answer>;
}

/** The headers of an answer that made something, for the document. */
export const located = z.object({ Location: z.string() });

/** Ties a handler's types to its schemas, and then forgets them. */
export function defineRoute<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType = z.ZodUndefined,
>(route: Route<Params, Query, Body>): Route {
  return route;
}
