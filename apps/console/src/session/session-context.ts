import { createContext, use } from 'react';
import { may, type Session } from './session.ts';

export const SessionContext = createContext<Session | null>(null);

/** Throws outside of a session: only screens use it. */
export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error('Nobody is signed in.');
  return session;
}

/** Whether the key may do this. What it may not do is not shown. */
export function useMay(scope: string): boolean {
  return may(useSession(), scope);
}
