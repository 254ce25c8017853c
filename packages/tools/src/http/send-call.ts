import { setTimeout as delay } from 'node:timers/promises';
import { OutcomeUnknownError, type ToolCallContext } from '@turnpike/contract';
import {
  BulkheadFullError,
  EgressUnreachableError,
  type EgressRequest,
  type EgressResponse,
} from '@turnpike/egress';
import { wasHeldBack } from '../was-held-back.ts';
import type { HttpParts } from './http-parts.ts';
import { retryWait } from './retry-wait.ts';
import type { TimeLeft } from './time-left.ts';

const MAX_SENDS = 3;

export interface Sending {
  /** Whose breaker and room, beside the tenant's own. */
  origin: string;
  /** Made anew for each send: its timestamp is part of its signature. */
  request: () => EgressRequest;
  /** Whether it may be sent again after a failure that may pass. */
  mayRepeat: boolean;
  time: TimeLeft;
}

/** What came of it, and how often it was sent. A failure is what the guard or the way out threw. */
export type Sent = ({ answer: EgressResponse } | { failure: unknown }) & { sends: number };

/** Sends a call through its origin's guard, each send by itself. Throws only the signal's reason. */
export async function sendCall(sending: Sending, context: ToolCallContext, parts: HttpParts): Promise<Sent> {
  let last: Sent | undefined;
  for (let sends = 1; ; sends += 1) {
    const outcome = await sendOnce(sending, context, parts);
    // Where a repetition was held back, what came of the send before is the answer.
    if (last !== undefined && 'failure' in outcome && wasHeldBack(outcome.failure)) return last;
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
  context: ToolCallContext,
  { egress, guard }: HttpParts,
): Promise<{ answer: EgressResponse } | { failure: unknown }> {
  const { tenantId, signal } = context;
  signal.throwIfAborted();
  try {
    const send = async (): Promise<EgressResponse> => {
      signal.throwIfAborted();
      const leftMs = Math.floor(time.ms());
      // All of its time may have gone by before it got its place.
      if (leftMs < 1) throw new BulkheadFullError();
      context.assertHeld();
      // It has a deadline of its own and no signal for it: only the way out knows whether anything left.
      // Asked again once connected: a process may be frozen between the two.
      const beforeSend = (): void => context.assertHeld();
      return egress.send({ ...request(), signal, beforeSend, deadlineMs: leftMs });
    };
    return { answer: await guard.run(`${tenantId} ${origin}`, signal, send, { isFailure }) };
  } catch (failure) {
    signal.throwIfAborted();
    return { failure };
  }
}

/** What says that an origin is down, and not that a call was wrong. */
function isFailure(outcome: { error: unknown } | { result: EgressResponse }): boolean {
  if ('result' in outcome) return outcome.result.status >= 500;
  return outcome.error instanceof EgressUnreachableError || outcome.error instanceof OutcomeUnknownError;
}
