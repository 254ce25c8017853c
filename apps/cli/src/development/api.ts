import { problemSchema } from '@turnpike/contract';
import type { z } from 'zod';
import { describeError, Failure } from '../failure.ts';

/** Calls the API as a client would. Throws a `Failure` for every response that is not a success. */
export class Api {
  readonly url: string;
  readonly #key: string;
  readonly #signal: AbortSignal;

  constructor(url: string, key: string, signal: AbortSignal) {
    this.url = url;
    this.#key = key;
    this.#signal = signal;
  }

  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    return this.#call('GET', path, schema);
  }

  post<Schema extends z.ZodType>(path: string, body: unknown, schema: Schema): Promise<z.output<Schema>> {
    return this.#call('POST', path, schema, body);
  }

  async #call<Schema extends z.ZodType>(
    method: string,
    path: string,
    schema: Schema,
    body?: unknown,
  ): Promise<z.output<Schema>> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: this.#signal,
    }).catch((error: unknown) => {
      throw new Failure(`${method} ${this.url}${path} got no response: ${describeError(error)}.`);
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return schema.parse(answer);
    const problem = problemSchema.safeParse(answer);
    const detail = problem.success ? `: ${problem.data.detail}` : '';
    throw new Failure(`${method} ${this.url}${path} was answered with ${response.status}${detail}`);
  }
}
