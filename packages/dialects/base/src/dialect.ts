import type { Problem, ProblemCode, ProblemError, Scope, UpdateAgent } from '@turnpike/contract';
import type { z } from 'zod';
import type { Follow, FollowSession } from './stream-encoder.ts';
import type { UseCases } from './use-cases.ts';

/** A valid request. */
export interface DialectCall<Params, Query, Body> {
  params: Params;
  query: Query;
  body: Body;
  /** A header's value, by its name in lower case. */
  header(name: string): string | undefined;
  /** Throws `insufficient_scope` where the key does not have this scope as well, beside the one of its route. */
  checkScope(scope: Scope): void;
  /** Where the client has reached the API: `https://turnpike.example`. */
  origin: string;
  /** How long a response may be held back for a turn to end. Milliseconds. */
  waitMs: number;
}

/** What a handler returns: a body, or a turn or a session to follow in its place. */
export interface DialectResult {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  follow?: Follow | FollowSession;
}

/** What is checked of an agent before a transaction begins, since it may take a while. */
export interface AgentChecks {
  /** Throws `invalid_request` for schemas that nothing can be validated with, and for betas that are not allowed. */
  agent(config: Pick<UpdateAgent, 'tools' | 'output_format' | 'betas'>): Promise<void>;
}

/** One operation of a dialect, declared as the API declares its own. */
export interface DialectRoute<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> {
  method: 'get' | 'post' | 'put' | 'delete';
  /** With parameters as Express has them. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  scope: Scope;
  params: Params;
  query: Query;
  /** Where left out, the operation has no body. */
  body?: Body;
  /** Examples of bodies, for the document. Ids in them are those of existing objects. */
  examples?: Record<string, { value: object }>;
  response: {
    status: number;
    description: string;
    schema?: z.ZodType;
    /** What it contains, where the response may be a stream of server-sent events. */
    stream?: string;
  };
  problems: readonly ProblemCode[];
  /** What the act is called in the tenant's audit log. */
  audit?: string;
  /** Why an operation that changes something is no administrative act. */
  noAct?: string;
  /**
   * It submits, answers or interrupts turns, or creates a session, and this use case keeps the idempotency key. The
   * handler must call one of them exactly once, and write nothing else.
   */
  keepsKey?: boolean;
  /** It stores credentials, sealed. */
  seals?: boolean;
  /** Run first, outside of the transaction that the handler writes in. Throws as the handler does. */
  prepare?(
    call: DialectCall<z.output<Params>, z.output<Query>, z.output<Body>>,
    checks: AgentChecks,
  ): Promise<void>;
  handle(
    call: DialectCall<z.output<Params>, z.output<Query>, z.output<Body>>,
    useCases: UseCases,
  ): Promise<DialectResult>;
}

/** An API whose clients are served. */
export interface Dialect {
  /** As the setting `DIALECTS` names it. */
  name: string;
  /** What its operations are called together, and about them, for the document. */
  title: string;
  about: string;
  /** The path that all its routes begin with. */
  prefix: string;
  routes: readonly DialectRoute[];
  /** The members that its clients read of an error. They are added to the problem, in its place where they have its names. */
  errorOf(problem: Problem, error: ProblemError, path: string): Record<string, unknown>;
  /** What anyone may read, without a key. */
  publicCards?: PublicCards;
}

/** Documents that say how to speak to what a path names. They are made of the request alone: nothing is looked up. */
export interface PublicCards {
  path: string;
  /** `not_found` is the response to a path that does not fit. */
  params: z.ZodObject;
  cardOf(params: Record<string, unknown>, origin: string): object;
}

/** Checks a handler's types against its schemas, and returns the route without them. */
export function defineDialectRoute<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType = z.ZodUndefined,
>(route: DialectRoute<Params, Query, Body>): DialectRoute {
  return route;
}
