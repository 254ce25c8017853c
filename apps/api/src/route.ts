import type { AuditDetails, Limits, ProblemCode, Scope } from '@turnpike/contract';
import type { Database, IdempotentRequest, ReadReplica, SecretBox, Sql } from '@turnpike/store';
import type { Backplane } from '@turnpike/backplane';
import type { Files } from '@turnpike/files';
import type { InputSchemas } from '@turnpike/tools';
import type { BudgetCheck, CapacityCache, Dispatcher, RequestedTurn } from '@turnpike/turns';
import type { Request, Response } from 'express';
import type { oas31 } from 'zod-openapi';
import { z } from 'zod';
import type { KeyUses } from './key-uses.ts';
import type { EventStreams } from './streams/event-streams.ts';
import type { TurnWaiters } from './turn-waiters.ts';

/** What handlers work with. */
export interface Services {
  database: Database;
  /** Where operations that `mayLag` read; null, or left out: from the database. */
  replica?: ReadReplica | null;
  backplane: Backplane;
  dispatcher: Dispatcher;
  files: Files;
  waiters: TurnWaiters;
  streams: EventStreams;
  secretBox: SecretBox;
  keyUses: KeyUses;
  capacity: CapacityCache;
  budgetCheck: BudgetCheck;
  inputSchemas: InputSchemas;
  /** The betas of the Messages API that agents and turns may name. */
  modelBetas: readonly string[];
  /** A pass over the tenant's batches soon: one was added or changed. */
  nudgeBatches: (tenantId: string) => void;
  /** Schedules are looked at soon: one was added or changed. */
  nudgeSchedules: () => void;
  /** Throws `EgressRefusedError` for a URL that no webhook and no tool call may be sent to. */
  checkPublicUrl: (url: string) => void;
  /** Of what fails after the response is sent. */
  reportError: (error: unknown, about: Record<string, string>) => void;
}

/** A form whose file came with the request, and is stored. */
export interface ReceivedForm {
  /** Of what the file became. */
  id: string;
  /** Its fields. */
  body: unknown;
  /** What identifies the request under its idempotency key. */
  fingerprint: unknown;
  /** It is committed: without this, it is deleted when the response is over. */
  keep(): void;
}

/** Whose request it is. */
export interface FormAsker {
  tenantId: string;
  limits: Limits;
  sql: Sql;
  /** Whether the key has this scope as well. */
  may(scope: Scope): boolean;
}

/** A form that an operation takes: its fields, and then one file, which is stored while it arrives. */
export interface FormKind {
  /** For the OpenAPI document. Its fields come in this order: the file last. */
  schema: oas31.SchemaObject;
  /** Throws `ProblemError`, before anything is sent. */
  receive(request: Request, response: Response, asker: FormAsker, services: Services): Promise<ReceivedForm>;
}

/** Who acts, and in which request. */
export interface Actor {
  tenantId: string;
  keyId: string;
  requestId: string;
}

/** A valid request: whose it is, and what it asks for. */
export interface Call<Params, Query, Body> {
  tenantId: string;
  /** For the audit log. */
  actor: Actor;
  /** What the tenant may use. */
  limits: Limits;
  params: Params;
  query: Query;
  body: Body;
  /** What the file of a form became, where the operation has a `form` and the request is one; `body` has its fields. */
  received: ReceivedForm | null;
  /** A header's value, by its name in lower case. */
  header(name: string): string | undefined;
  /** Where the client has reached the API: its scheme and its host. */
  origin: string;
  /** Whether the key has this scope as well, beside the one that the operation requires. */
  may(scope: Scope): boolean;
  /** What a POST writes with: the transaction that also holds its idempotency record, where it has one. */
  sql: Sql;
  /** What `prepare` of the operation resolved with. */
  prepared?: unknown;
  /** A signal that aborts when the client has disconnected, for handlers that wait. */
  whenGone(): AbortSignal;
}

/** A call of whatever operation. */
export type AnyCall = Call<Record<string, unknown>, Record<string, unknown>, unknown>;

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
  /** It is the response to an earlier request with the same idempotency key. */
  isReplay?: boolean;
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
  /** One of `TAGS`, or the title of a dialect. */
  tag: string;
  /**
   * What the act is called in the tenant's audit log, written in the transaction of `handle`, which is to
   * write with `sql` alone. Left out: `audit-act.ts` names it by its operation.
   */
  audit?: string;
  /** Why an operation that changes something is no such act. */
  noAct?: string;
  /** It only reads, with `sql` alone, and what it reads may be some seconds old. */
  mayLag?: boolean;
  /** What the key must be allowed to do. */
  scope: Scope;
  params: Params;
  query: Query;
  /** Where left out, the operation has no body. */
  body?: Body;
  /** It takes a form with a file as well. */
  form?: FormKind;
  /** Request headers that have a meaning here, for the document. */
  headers?: z.ZodObject;
  response: {
    status: number;
    description: string;
    schema?: z.ZodType;
    /** It is the content of a file. */
    binary?: boolean;
    /** It is lines of JSON, each of this schema. */
    lines?: z.ZodType;
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
   * `handle` is given what it resolves with, as `prepared`. Throws as `handle` does.
   */
  prepare?(
    call: Omit<Call<z.output<Params>, z.output<Query>, z.output<Body>>, 'sql'>,
    services: Services,
  ): Promise<unknown>;
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
        /** Writes by use cases that keep the idempotency key themselves. */
        handleKeyed(
          call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
          services: Services,
          keyed: KeyedRequest,
        ): Promise<RouteResult>;
      }
    | {
        /** The turn that the request asks for. */
        submit(call: { params: z.output<Params>; body: z.output<Body> }): RequestedTurn;
      }
  );

/** What a handler that keeps the idempotency key itself is given. */
export interface KeyedRequest {
  /** Null where the request has no key. */
  idempotency: IdempotentRequest | null;
  /** The span of the request; null where nothing is traced. */
  traceparent: string | null;
}

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
