import { setTimeout as sleep } from 'node:timers/promises';
import { ModelError, type ModelResponse, type ModelCallOptions, type ModelRequest } from '@turnpike/contract';
import type { GuardedModel } from '../create-model.ts';
import { callTestModel } from './test-model.ts';

interface Asked {
  text: string;
  request?: Partial<ModelRequest>;
  options?: Partial<ModelCallOptions>;
}

/**
 * For tests: as a worker does, a call that was parked is made again after its wait, with its attempts.
 * Rejects where the attempts are used up.
 */
export async function untilResponse(
  model: GuardedModel,
  asked: Asked,
  slots?: Slots,
): Promise<ModelResponse> {
  let previousAttempts = 0;
  for (;;) {
    let waitMs: number;
    await slots?.take();
    try {
      const options = { ...asked.options, previousAttempts };
      return await callTestModel(model, { ...asked, options }).answer;
    } catch (error) {
      if (!(error instanceof ModelError) || error.retryAfterMs === undefined) throw error;
      previousAttempts = error.attempts;
      waitMs = error.retryAfterMs;
    } finally {
      slots?.giveBack();
    }
    await sleep(waitMs);
  }
}

/** For tests: a worker's places for turns. A turn that is parked holds none. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

/** For tests: what a call that fails was told. */
export async function failureOf(answer: Promise<unknown>): Promise<ModelError> {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ModelError)) throw new Error('Not a ModelError', { cause: error });
  return error;
}
