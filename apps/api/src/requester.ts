import type { Limits, Scope } from '@turnpike/contract';
import type { Response } from 'express';

/** Whose request it is, as it was authenticated. */
export interface Requester {
  tenantId: string;
  keyId: string;
  scopes: readonly Scope[];
  /** As they were when the request was authenticated. */
  limits: Limits;
}

const requesters = new WeakMap<Response, Requester>();

export function setRequester(response: Response, requester: Requester): void {
  requesters.set(response, requester);
}

/** Throws where the request was not authenticated: no route is served without. */
export function requesterOf(response: Response): Requester {
  const requester = requesters.get(response);
  if (requester === undefined) throw new Error('The request was not authenticated.');
  return requester;
}
