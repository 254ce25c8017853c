import { secretRefusal, TerminalError } from '@turnpike/contract';
import { EgressRefusedError, EgressUnreachableError } from '@turnpike/egress';
import { UnknownOutcomeError } from '../tool-error.ts';
import { holdsSecret } from './hide-in-output.ts';
import { toolScope } from './tool-scope.ts';

/** Sends one request to an address that the guard allows, and reads the whole response. */
export type SendRequest = (
  url: string,
  init: { method: string; headers: Headers; body?: Uint8Array; signal: AbortSignal },
) => Promise<Response>;

/** A secret that is sent to these hosts only. */
export interface BoundSecret {
  name: string;
  value: string;
  allowedHosts: string[];
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const BODILESS = new Set([101, 204, 205, 304]);
const ACTS_ONCE = new Set(['once', 'reconcile']);

/** Of a body, as text in all its forms; the rest of it is searched for the value as it is. */
const SEARCHED_BYTES = 262_144;

/**
 * The `fetch` of tools in code: that of the platform, but each connection goes to an allowed address, redirects are
 * returned, the response is read as a whole, and a secret that is bound to hosts is sent to no other.
 * Throws `UnknownOutcomeError` where a request that acts was sent by code that must act once, and no response came.
 */
export function createToolFetch(
  send: SendRequest,
  callSignal: AbortSignal,
  bound: readonly BoundSecret[],
): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { method, headers, url } = request;
    const signal = AbortSignal.any([callSignal, request.signal]);
    const body = request.body === null ? {} : { body: new Uint8Array(await request.arrayBuffer()) };
    refuseBound(bound, { url, headers, body: body.body });
    try {
      const response = await send(url, { method, headers, signal, ...body });
      const bytes = BODILESS.has(response.status) ? null : await response.arrayBuffer();
      const { status, statusText } = response;
      return new Response(bytes, { status, statusText, headers: response.headers });
    } catch (error) {
      signal.throwIfAborted();
      const wasNotSent = error instanceof EgressRefusedError || error instanceof EgressUnreachableError;
      if (wasNotSent || SAFE_METHODS.has(method) || !ACTS_ONCE.has(toolScope()?.effect ?? '')) throw error;
      const { origin } = new URL(url);
      throw new UnknownOutcomeError(`The ${method} to ${origin} got no response.`, { cause: error });
    }
  };
}

/** Throws a `TerminalError`, `secret_refused`, where the request holds a secret that may not be sent to its host. */
function refuseBound(
  bound: readonly BoundSecret[],
  { url, headers, body }: { url: string; headers: Headers; body: Uint8Array | undefined },
): void {
  for (const { name, value, allowedHosts } of bound) {
    const bounds = { allowed_hosts: allowedHosts, model_key: false };
    const refusal = secretRefusal(bounds, { url, by: 'tool' });
    if (refusal === null) continue;
    const bytes = Buffer.from(body ?? []);
    const texts = [url, ...[...headers].flat(), bytes.toString('utf8', 0, SEARCHED_BYTES)];
    if (!bytes.includes(value) && !texts.some((text) => holdsSecret(text, [value]))) continue;
    throw new TerminalError('secret_refused', `The secret ${name} ${refusal}.`);
  }
}
