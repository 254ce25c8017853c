import { idSchema, type Agent, type Scope, type Turn } from '@turnpike/contract';
import { orNull, type StreamEncoder, type UseCases } from '@turnpike/dialect-base';
import type { z } from 'zod';
import { noTask } from './refusals.ts';
import type { StreamResponse } from './wire.ts';

/** A request to one agent, over either binding. */
export interface Asked {
  agent: Agent;
  useCases: UseCases;
  /** How long a response may be held back for a task to end. Milliseconds. */
  waitMs: number;
  /** Where clients reach the API: `https://turnpike.example`. */
  origin: string;
}

/** Writes one member of a stream, as the binding frames it. */
export type Frame = (response: StreamResponse) => string;

/** A stream begins with its task, and a client that takes no stream gets that alone. */
export type Answer = { result: unknown } | FollowedTask;

export interface FollowedTask {
  turnId: string;
  /** What the stream begins with. */
  first: StreamResponse;
  stream: (frame: Frame) => StreamEncoder;
}

/** An operation of A2A. Both bindings serve it from here. */
export interface Method<Params extends z.ZodObject = z.ZodObject> {
  /** As JSON-RPC calls it. */
  name: string;
  scope: Scope;
  params: Params;
  /** Throws `ProblemError`; those that A2A has an error for are a `RefusedError`. */
  answer(asked: Asked, params: z.output<Params>): Promise<Answer>;
}

/** Checks a method's types, and returns it without them. */
export function defineMethod<Params extends z.ZodObject>(method: Method<Params>): Method {
  return method;
}

const turnIdSchema = idSchema('turn');
const sessionIdSchema = idSchema('session');

/** The turn of a task of this agent. Throws `TASK_NOT_FOUND`, also for what is no id. */
export async function readTask({ agent, useCases }: Asked, id: string): Promise<Turn> {
  const turn = turnIdSchema.safeParse(id).success ? await orNull(useCases.turns.read(id)) : null;
  if (turn === null || turn.agent_id !== agent.id) throw noTask();
  return turn;
}

/** Whether it is the id of a session of this agent. */
export async function hasContext({ agent, useCases }: Asked, id: string): Promise<boolean> {
  const session = sessionIdSchema.safeParse(id).success ? await orNull(useCases.sessions.read(id)) : null;
  return session?.agent_id === agent.id;
}
