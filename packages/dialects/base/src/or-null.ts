import { ProblemError } from '@turnpike/contract';

/** What is read, or null where the tenant has no such thing. */
export async function orNull<Result>(reading: Promise<Result>): Promise<Result | null> {
  try {
    return await reading;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** The result; where the tenant has no such thing, this problem in place of one that names what was looked for. */
export async function orNotFound<Result>(
  result: Promise<Result>,
  problem: () => ProblemError,
): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    throw isNotFound(error) ? problem() : error;
  }
}

const isNotFound = (error: unknown): boolean => error instanceof ProblemError && error.code === 'not_found';
