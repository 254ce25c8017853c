import { newId } from '@turnpike/contract';
import type { RequestHandler, Response } from 'express';

/** Gives every request an id, which its response shows: with it the request is found in the logs. */
export const giveRequestId: RequestHandler = (_request, response, next) => {
  response.set('X-Request-Id', newId('request'));
  next();
};

export function requestIdOf(response: Response): string {
  return String(response.getHeader('X-Request-Id') ?? '');
}
