import { createContext, Script } from 'node:vm';

/** The work did not end in time. */
export class TimeShareError extends Error {
  constructor() {
    super('The work took too long.');
  }
}

/**
 * Runs work that waits for nothing, at most `limitMs` milliseconds. Throws `TimeShareError`, and what
 * the work throws.
 */
export type RunWithin = <Result>(limitMs: number, work: () => Result) => Result;

/** Only `vm` can stop synchronous work, also inside a regular expression. */
export function createRunWithin(): RunWithin {
  const stage = { work: (): void => undefined };
  const context = createContext({ work: () => stage.work() });
  const script = new Script('work()');
  return <Result>(limitMs: number, work: () => Result): Result => {
    const outcome: { value?: { is: Result }; error?: { is: unknown } } = {};
    stage.work = () => {
      try {
        outcome.value = { is: work() };
      } catch (error) {
        outcome.error = { is: error };
      }
    };
    try {
      script.runInContext(context, { timeout: Math.ceil(limitMs) });
    } catch {
      throw new TimeShareError();
    }
    if (outcome.error !== undefined) throw outcome.error.is;
    if (outcome.value === undefined) throw new TimeShareError();
    return outcome.value.is;
  };
}
