import { z } from 'zod';
import { ApiError, errorTypeOf } from './api-error.ts';

/** What express and body-parser throw. */
const httpErrorSchema = z.looseObject({ status: z.int().min(400).max(599), message: z.string() });

/** What an error says to the client, in the words of the Messages API. */
export function describeError(error: unknown): {
  status: number;
  type: string;
  message: string;
  headers: Readonly<Record<string, string>>;
} {
  if (error instanceof ApiError) {
    return { status: error.status, type: error.code, message: error.message, headers: error.headers };
  }
  const known = httpErrorSchema.safeParse(error);
  if (!known.success)
    return { status: 500, type: 'api_error', message: 'Internal server error', headers: {} };
  const { status } = known.data;
  const message =
    status === 413
      ? 'Request exceeds the maximum size'
      : `The request body is not valid: ${known.data.message}`;
  return { status: status === 415 ? 400 : status, type: errorTypeOf(status), message, headers: {} };
}
