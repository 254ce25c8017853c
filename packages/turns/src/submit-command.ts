import type { Backplane } from '@turnpike/backplane';
import type { Limits, RerunTurn, ResumeTurn, StartTurn, SubmitTurn } from '@turnpike/contract';
import type { Database, IdempotentRequest } from '@turnpike/store';
import type { BudgetCheck } from './budget-check.ts';
import type { CapacityCache } from './capacity-cache.ts';
import type { Dispatcher } from './dispatcher.ts';

/** What a fork ends after: a turn, a step of it, or a message; the last turn that has ended where none is named. */
export interface ForkAfter {
  turnId?: string | undefined;
  /** The index of the last step of the turn that is copied. */
  step?: number | undefined;
  messageId?: string | undefined;
}

/**
 * A turn of a session, one that creates its session, one that resumes a turn which stopped before its end, or one of a
 * fork: of a session that is copied for it, up to a turn or a step of it; a rerun makes a turn again in such a copy.
 */
export type RequestedTurn =
  | PlainTurn
  | { of: 'fork'; after: ForkAfter & { turnId: string }; submission: SubmitTurn }
  | { of: 'rerun'; turnId: string; submission: RerunTurn };

/** One whose session, if it has one, is there. */
export type PlainTurn =
  | { of: 'session'; sessionId: string; submission: SubmitTurn }
  | { of: 'new_session'; submission: StartTurn }
  | { of: 'stopped_turn'; turnId: string; submission: ResumeTurn };

export interface SubmitCommand {
  tenantId: string;
  limits: Limits;
  requested: RequestedTurn;
  /** The version of the agent that its overrides were checked with. Default: the one that it asks for. */
  agentVersion?: number | null;
  /** The batch whose line it is. */
  batchId?: string;
  /** Null where the request has no idempotency key. */
  idempotency: IdempotentRequest | null;
  /** The span of the request, as W3C trace context writes it; null where nothing is traced. */
  traceparent: string | null;
}

export interface SubmitParts {
  database: Database;
  backplane: Backplane;
  dispatcher: Dispatcher;
  capacity: CapacityCache;
  budgetCheck: BudgetCheck;
  /** Of what fails after the turn is committed. */
  reportError: (error: unknown, about: Record<string, string>) => void;
}

/** A command for a turn whose session, if it has one, is there. */
export type PlainCommand = SubmitCommand & { requested: PlainTurn };
