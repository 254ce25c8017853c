import { json } from 'express';
import type { Request, Response } from 'express';
import { invalidRequest } from './api-error.ts';

/** The real API's limit on a request's body. */
const parse = json({
  limit: 32 * 1024 * 1024,
  strict: false,
  verify: (_request, _response, body) => checkText(body),
});

/** Half of a surrogate pair, written as an escape: the one kind of JSON that JavaScript reads and the API does not. */
const HALF_PAIR =
  /\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[^])/g;

function checkText(body: Buffer): void {
  if (!/\\u[dD][89a-fA-F]/.test(body.toString('latin1'))) return;
  const half = body
    .toString()
    .match(HALF_PAIR)
    ?.find((escape) => escape.length === '\\ud83d'.length);
  if (half !== undefined)
    throw invalidRequest('The request body is not valid JSON: no low surrogate in string');
}

/** The body as JSON. Rejects with what body-parser throws: see `describeError`. */
export function readJsonBody(request: Request, response: Response): Promise<unknown> {
  return new Promise((resolve, reject) => {
    parse(request, response, (error?: unknown) => {
      if (error instanceof Error) reject(error);
      else resolve(request.body);
    });
  });
}
