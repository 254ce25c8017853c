import type { Response } from 'express';

/** The id that this response carries in `request-id`. */
export function requestIdOf(response: Response): string {
  return String(response.getHeader('request-id') ?? '');
}
