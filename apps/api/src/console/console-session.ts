import { allows, ProblemError, SCOPES } from '@turnpike/contract';
import express, { type CookieOptions, type Request, type RequestHandler, type Router } from 'express';
import { keyOf, type Authenticate } from '../authenticate.ts';

/** Where the console calls the API. Below `/console`, so that the cookie reaches no other path. */
const API = '/console/api';
const COOKIE = 'turnpike_console';
/** Only the console's own page can send it: for a page of another origin, the browser asks first, and is refused. */
const OWN_HEADER = 'x-turnpike-console';

export interface ConsoleSettings {
  /** Where a trace is looked at, with `{trace_id}` for its id; null where nothing is traced. */
  traceUrl: string | null;
}

/**
 * The session of the console in a browser: a cookie that holds the API key, which no script can read. It ends with the
 * browser, or with its key.
 */
export function serveSession(authenticate: Authenticate, settings: ConsoleSettings): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  /**
   * Whose session it is, and what its key may do; no content without one. With a key, whose session the key would
   * begin.
   */
  const read: RequestHandler = async (request, response) => {
    refuseStrangers(request);
    const key = keyOf(request) ?? keyOfCookie(request);
    if (key === undefined) {
      response.sendStatus(204);
      return;
    }
    request.headers.authorization = `Bearer ${key}`;
    response.json(await describe(request, authenticate, settings));
  };
  /** Signs in with the key of the request. */
  const signIn: RequestHandler = async (request, response) => {
    refuseStrangers(request);
    const session = await describe(request, authenticate, settings);
    const key = keyOf(request);
    if (key !== undefined) response.cookie(COOKIE, key, cookieOptions(request));
    response.json(session);
  };
  const signOut: RequestHandler = (request, response) => {
    refuseStrangers(request);
    response.clearCookie(COOKIE, cookieOptions(request));
    response.sendStatus(204);
  };
  router.get('/console/session', read);
  router.post('/console/session', signIn);
  router.delete('/console/session', signOut);
  return router;
}

/** Makes a request of the console, below `/console/api`, the same request with a key. */
export const admitSession: RequestHandler = (request, _response, next) => {
  if (!request.url.startsWith(`${API}/v1/`)) return next();
  refuseStrangers(request);
  const key = keyOfCookie(request);
  if (key === undefined) throw new ProblemError('unauthenticated', 'Sign in to the console.');
  request.headers.authorization = `Bearer ${key}`;
  request.url = request.url.slice(API.length);
  next();
};

function refuseStrangers(request: Request): void {
  const site = request.get('sec-fetch-site') ?? 'same-origin';
  if (request.get(OWN_HEADER) === undefined || site !== 'same-origin')
    throw new ProblemError('unauthenticated', 'Only the console itself may use its session.');
}

/** `scopes`: all that the key allows, so that the page needs no rule of its own. */
async function describe(
  request: Request,
  authenticate: Authenticate,
  { traceUrl }: ConsoleSettings,
): Promise<object> {
  const { tenantId, keyId, scopes } = await authenticate(request);
  return {
    object: 'console_session',
    tenant_id: tenantId,
    key_id: keyId,
    scopes: SCOPES.filter((scope) => allows(scopes, scope)),
    trace_url: traceUrl,
  };
}

function keyOfCookie(request: Request): string | undefined {
  return new RegExp(`(?:^|; ?)${COOKIE}=([^;]+)`).exec(request.get('cookie') ?? '')?.[1];
}

/** Without a lifetime it ends with the browser. */
function cookieOptions(request: Request): CookieOptions {
  // Behind a proxy that is not trusted, only the browser knows that its side is encrypted.
  const secure = request.secure || request.get('origin')?.startsWith('https://') === true;
  return { path: '/console', httpOnly: true, sameSite: 'strict', secure };
}
