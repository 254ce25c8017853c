import type { Backplane } from '@turnpike/backplane';
import type { Limits, ResumeTurn, StartTurn, SubmitTurn } from '@turnpike/contract';
import type { Database, IdempotentRequest } from '@turnpike/store';
import type { BudgetCheck } from './budget-check.ts';
import type { CapacityCache } from './capacity-cache.ts';
import type { Dispatcher } from './dispatcher.ts';

/** A turn of a session, one that creates its session, or one that resumes a turn which stopped before its end. */
export type RequestedTurn =
  | { of: 'session'; sessionId: string; submission: SubmitTurn }
  | { of: 'new_session'; submission: StartTurn }
  | { of: 'stopped_turn'; turnId: string; submission: ResumeTurn };

export interface SubmitCommand {
  tenantId: string;
  limits: Limits;
  requested: RequestedTurn;
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
