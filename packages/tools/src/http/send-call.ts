import { setTimeout as delay } from 'node:timers/promises';
import { OutcomeUnknownError, type TurnContext } from '@turnpike/contract';
import {
  BulkheadFullError,
  EgressUnreachableError,
  type EgressRequest,
  type EgressResponse,
} from '@turnpike/egress';
import { wasRejected } from '../was-rejected.ts';
import type { HttpParts } from './http-parts.ts';
import { retryWait } from './retry-wait.ts';
import type { TimeLeft } from './time-left.ts';

const MAX_SENDS = 3;

export interface Sending {
  /** Each tenant has a circuit breaker and slots for each origin. */
  origin: string;
  /** Composed again for each send: its timestamp is part of its signature. */
  request: () => EgressRequest;
  /** Whether it may be sent again after a temporary failure. */
  mayRepeat: boolean;
  time: TimeLeft;
}

/** The result, and how often it was sent. A failure is what the guard or the egress threw. */
export type Sent = ({ response: EgressResponse } | { failure: unknown }) & { sends: number };

/** Sends a call through its origin's guard, each send by itself. Throws only the signal's reason. */
export async function sendCall(sending: Sending, context: TurnContext, parts: HttpParts): Promise<Sent> {
  let last: Sent | undefined;
  for (let sends = 1; ; sends += 1) {
    const outcome = await sendOnce(sending, context, parts);
    // Where a repetition was rejected, the result of the send before is returned.
    if (last !== undefined && 'failure' in outcome && wasRejected(outcome.failure)) return last;
    last = { ...outcome, sends };
    const wait = sending.mayRepeat && sends < MAX_SENDS ? retryWait(outcome, sends, context.now()) : null;
    if (wait === null || wait >= sending.time.ms()) return last;
    await pause(wait, context.signal);
  }
}

/** Throws the signal's reason. */
export async function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(waitMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

async function sendOnce(
  { origin, request, time }: Sending,
  context: TurnContext,
  { egress, guard }: HttpParts,
): Promise<{ response: EgressResponse } | { failure: unknown }> {
  const { tenantId, signal } = context;
  signal.throwIfAborted();
  try {
    const send = async (): Promise<EgressResponse> => {
      signal.throwIfAborted();
      const leftMs = Math.floor(time.ms());
      // All of its time may have passed before it got its slot.
      if (leftMs < 1) throw new BulkheadFullError();
      context.assertHeld();
      // The egress has the deadline itself, instead of a signal: only the egress knows whether anything was sent.
      // The lease is checked again once connected: a process may be frozen between the two.
      const beforeSend = (): void => context.assertHeld();
      return egress.send({ ...request(), signal, beforeSend, deadlineMs: leftMs });
    };
    return { response: await guard.run(`${tenantId} ${origin}`, signal, send, { isFailure }) };
  } catch (failure) {
    signal.throwIfAborted();
    return { failure };
  }
}

/** Whether an outcome says that an origin is down, and not that a call was wrong. */
function isFailure(outcome: { error: unknown } | { result: EgressResponse }): boolean {
  if ('result' in outcome) return outcome.result.status >= 500;
  return outcome.error instanceof EgressUnreachableError || outcome.error instanceof OutcomeUnknownError;
}
