import { json } from 'express';
import type { Request, Response } from 'express';

/** The real API's limit on a request's body. */
const parse = json({ limit: 32 * 1024 * 1024, strict: false });

/** The body as JSON. Rejects with what body-parser throws: see `describeError`. */
export function readJsonBody(request: Request, response: Response): Promise<unknown> {
  return new Promise((resolve, reject) => {
    parse(request, response, (error?: unknown) => {
      if (error instanceof Error) reject(error);
      else resolve(request.body);
    });
  });
}
