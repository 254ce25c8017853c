import { EgressRefusedError, EgressUnreachableError } from '@turnpike/egress';
import { UnknownOutcomeError } from '../tool-error.ts';
import { toolScope } from './tool-scope.ts';

/** Sends one request to an address that the guard allows, and reads the whole response. */
export type SendRequest = (
  url: string,
  init: { method: string; headers: Headers; body?: Uint8Array; signal: AbortSignal },
) => Promise<Response>;

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const BODILESS = new Set([101, 204, 205, 304]);
const ACTS_ONCE = new Set(['once', 'reconcile']);

/**
 * The `fetch` of tools in code: that of the platform, but each connection goes to an allowed address, redirects are
 * returned, and the response is read as a whole.
 * Throws `UnknownOutcomeError` where a request that acts was sent by code that must act once, and no response came.
 */
export function createToolFetch(send: SendRequest, callSignal: AbortSignal): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { method, headers, url } = request;
    const signal = AbortSignal.any([callSignal, request.signal]);
    const body = request.body === null ? {} : { body: new Uint8Array(await request.arrayBuffer()) };
    try {
      const response = await send(url, { method, headers, signal, ...body });
      const bytes = BODILESS.has(response.status) ? null : await response.arrayBuffer();
      return new Response(bytes, { status: response.status, headers: response.headers });
    } catch (error) {
      signal.throwIfAborted();
      const wasNotSent = error instanceof EgressRefusedError || error instanceof EgressUnreachableError;
      if (wasNotSent || SAFE_METHODS.has(method) || !ACTS_ONCE.has(toolScope()?.effect ?? '')) throw error;
      const { origin } = new URL(url);
      throw new UnknownOutcomeError(`The ${method} to ${origin} got no response.`, { cause: error });
    }
  };
}
