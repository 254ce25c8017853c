import { BackplaneUnavailableError } from '@turnpike/backplane';
import { ProblemError, PROBLEMS } from '@turnpike/contract';
import type { Dialect } from '@turnpike/dialect-base';
import { KeyProviderError } from '@turnpike/secrets';
import { StoreUnavailableError } from '@turnpike/store';
import { reportSparingly, type Logger } from '@turnpike/telemetry';
import type { ErrorRequestHandler } from 'express';
import { z } from 'zod';
import { dialectOf } from './dialects/dialects.ts';
import { logFieldsOf } from './log-requests.ts';
import { problemBody } from './problem-body.ts';
import { requestIdOf } from './request-id.ts';

/**
 * Sends every error as a problem (RFC 9457), to clients of a dialect with the members that they read. Details of
 * internal errors are logged, not sent.
 */
export function sendProblem(logger: Logger, dialects: readonly Dialect[]): ErrorRequestHandler {
  const warn = reportSparingly((message, fields) => logger.warn(message, fields));
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const requestId = requestIdOf(response);
    const problem = asProblem(error);
    const { status } = PROBLEMS[problem.code];
    if (status >= 500) {
      const fields = { request_id: requestId, method: request.method, ...logFieldsOf(response) };
      if (problem.code === 'internal_error') logger.error('Request failed.', { error, ...fields });
      else warn('Request could not be served now.')(error, fields);
    }
    if (problem.retryAfterSeconds !== undefined)
      response.set('Retry-After', String(problem.retryAfterSeconds));
    if (status === 401) response.set('WWW-Authenticate', 'Bearer realm="turnpike"');
    const body = problemBody(problem, requestId);
    response
      .status(status)
      .type('application/problem+json')
      .send(
        JSON.stringify({
          ...body,
          ...dialectOf(dialects, request.path)?.errorOf(body, problem, request.path),
        }),
      );
  };
}

/** Errors of Express itself, such as for a path that cannot be decoded. */
const httpErrorSchema = z.object({ status: z.int().min(400).max(499) });

function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const isUnavailable = [StoreUnavailableError, BackplaneUnavailableError, KeyProviderError].some(
    (kind) => error instanceof kind,
  );
  if (isUnavailable) {
    return new ProblemError('not_ready', 'The service cannot do this now. Try again soon.', {
      retryAfterSeconds: 1,
    });
  }
  const http = httpErrorSchema.safeParse(error);
  if (!http.success)
    return new ProblemError('internal_error', 'The request was not served. We have a log of it.');
  return new ProblemError('invalid_request', 'The request cannot be read.');
}
