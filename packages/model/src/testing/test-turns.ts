import { setTimeout as sleep } from 'node:timers/promises';
import { ModelError, type ModelResponse } from '@turnpike/contract';
import type { GuardedModel } from '../create-model.ts';
import { callTestModel, type TestCall } from './test-model.ts';

/**
 * For tests: as a worker does, makes a call that was parked again after its wait, with its attempts.
 * Rejects where the attempts are used up.
 */
export async function untilResponse(
  model: GuardedModel,
  call: TestCall,
  slots?: Slots,
): Promise<ModelResponse> {
  let previousAttempts = 0;
  for (;;) {
    let waitMs: number;
    await slots?.acquire();
    try {
      return await callTestModel(model, { ...call, previousAttempts }).response;
    } catch (error) {
      if (!(error instanceof ModelError) || error.retryAfterMs === undefined) throw error;
      previousAttempts = error.attempts;
      waitMs = error.retryAfterMs;
    } finally {
      slots?.release();
    }
    await sleep(waitMs);
  }
}

/** For tests: a worker's slots for turns. A turn that is parked holds none. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async acquire(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/** For tests: the error of a call that fails. */
export async function failureOf(response: Promise<unknown>): Promise<ModelError> {
  const error = await response.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ModelError)) throw new Error('Not a ModelError', { cause: error });
  return error;
}
