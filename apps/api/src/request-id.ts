import { newId } from '@turnpike/contract';
import type { RequestHandler, Response } from 'express';

/** Gives every request an id of ours, told in every answer: what a user sends us to find the log. */
export const giveRequestId: RequestHandler = (_request, response, next) => {
  response.set('X-Request-Id', newId('request'));
  next();
};

export function requestIdOf(response: Response): string {
  return String(response.getHeader('X-Request-Id') ?? '');
}
