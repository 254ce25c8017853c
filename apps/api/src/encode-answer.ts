import type { StoredAnswer } from '@turnpike/store';
import type { Answer } from './route.ts';

/** The bytes of an answer: what is kept for whoever sends the request again. */
export function encodeAnswer(answer: Answer): StoredAnswer {
  const body = answer.body === undefined ? '' : JSON.stringify(answer.body);
  return { status: answer.status, headers: answer.headers ?? {}, body };
}
