import { Turnpike, TurnpikeApiError, TurnpikeConnectionError, TurnpikeTimeoutError } from '@turnpike/client';
import { readApiConfig } from './config.ts';
import { describeError, Failure } from './failure.ts';

/** An installation, as a client of its API. */
export interface PublicApi {
  url: string;
  turnpike: Turnpike;
}

/**
 * The API at `TURNPIKE_URL` with `TURNPIKE_API_KEY`, else the one that runs in this directory. Throws a `Failure` where
 * there is neither.
 */
export function openPublicApi(): PublicApi {
  const { url, key } = readApiConfig();
  if (url === undefined || key === undefined) {
    const missing = url === undefined ? 'TURNPIKE_URL' : 'TURNPIKE_API_KEY';
    throw new Failure(
      `${missing} is not set, and no \`turnpike start\` or \`turnpike dev\` runs in this directory.`,
    );
  }
  return { url, turnpike: new Turnpike({ baseUrl: url, apiKey: key, maxRetries: 2 }) };
}

/** Runs calls of the API; throws a `Failure` that says why one was refused, or got no response. */
export async function calling<Result>({ url }: PublicApi, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TurnpikeApiError) throw new Failure(`${url} refused: ${error.message}`);
    if (error instanceof TurnpikeConnectionError || error instanceof TurnpikeTimeoutError) {
      throw new Failure(`${url} does not answer: ${describeError(error)}`);
    }
    throw error;
  }
}
