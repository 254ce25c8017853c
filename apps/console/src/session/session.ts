import { Turnpike } from '@turnpike/client';

/** Who is signed in, and what the key may do. */
export interface Session {
  tenantId: string;
  keyId: string;
  /** All that the key allows: also what its scopes include. */
  scopes: readonly string[];
  /** Where a trace is looked at, with `{trace_id}` for its id. */
  traceUrl: string | null;
}

/** Without it the API refuses: a page of another origin cannot send it. */
const OWN_HEADERS = { 'x-turnpike-console': '1' };

/** The API, which adds the key from the session's cookie. Errors come soon: screens repeat by themselves. */
export const turnpike = new Turnpike({
  baseUrl: '/console/api',
  apiKey: null,
  maxRetries: 1,
  fetch(input, init) {
    const headers = new Headers(init?.headers);
    for (const [name, value] of Object.entries(OWN_HEADERS)) headers.set(name, value);
    return fetch(input, { ...init, headers });
  },
});

class SignInError extends Error {}

/** With a key, the session that it would begin. Null without a session, or if the key is not valid. */
export async function readSession(key?: string): Promise<Session | null> {
  const headers = { ...OWN_HEADERS, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
  const response = await fetch('/console/session', { headers });
  if (response.status === 204 || response.status === 401) return null;
  return parse(response);
}

/** Throws `SignInError` with what the API says of the key. */
export async function signIn(key: string): Promise<Session> {
  const headers = { ...OWN_HEADERS, authorization: `Bearer ${key}` };
  return parse(await fetch('/console/session', { method: 'POST', headers }));
}

export async function signOut(): Promise<void> {
  await fetch('/console/session', { method: 'DELETE', headers: OWN_HEADERS });
}

export function may(session: Session, scope: string): boolean {
  return session.scopes.includes(scope);
}

async function parse(response: Response): Promise<Session> {
  const body: unknown = await response.json().catch(() => null);
  const said = typeof body === 'object' && body !== null ? body : {};
  if (
    response.ok &&
    'tenant_id' in said &&
    'key_id' in said &&
    'scopes' in said &&
    Array.isArray(said.scopes)
  ) {
    return {
      tenantId: String(said.tenant_id),
      keyId: String(said.key_id),
      scopes: said.scopes.map(String),
      traceUrl: 'trace_url' in said && typeof said.trace_url === 'string' ? said.trace_url : null,
    };
  }
  throw new SignInError(
    'detail' in said ? String(said.detail) : `The API responded with ${String(response.status)}.`,
  );
}
