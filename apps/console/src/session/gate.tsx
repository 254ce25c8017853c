import { TurnpikeApiError } from '@turnpike/client';
import { QueryCache, MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState, type ReactElement, type ReactNode } from 'react';
import { readSession, signIn, signOut, type Session } from './session.ts';
import { SessionContext } from './session-context.ts';
import { SignIn } from './sign-in.tsx';
import { SwitchSession } from './switch-session.tsx';

type State =
  | { at: 'opening' }
  | { at: 'signed-out'; reason: string | null }
  /** A link has the key of another session than the one that there is. */
  | { at: 'asked'; current: Session; offered: Session; keyOfLink: string }
  | { at: 'signed-in'; session: Session };

/** Shows its children to a session, and the sign-in to everybody else. A key that is revoked ends the session. */
export function Gate(props: {
  keyOfLink: string | null;
  children: (signOutNow: () => void) => ReactNode;
}): ReactElement {
  const [state, setState] = useState<State>({ at: 'opening' });
  const showSignedOut = useCallback((reason: string | null) => setState({ at: 'signed-out', reason }), []);
  const { queries, end } = useQueries(showSignedOut);
  useEffect(() => {
    void open(props.keyOfLink).then(setState);
  }, [props.keyOfLink]);
  const enter = (session: Session): void => setState({ at: 'signed-in', session });

  if (state.at === 'opening') return <main className="sign-in" aria-busy="true" />;
  if (state.at === 'signed-out') return <SignIn reason={state.reason} onSignedIn={enter} />;
  return (
    <QueryClientProvider client={queries}>
      {state.at === 'asked' ? (
        <SwitchSession {...state} onChosen={enter} />
      ) : (
        <SessionContext value={state.session}>{props.children(() => end(null))}</SessionContext>
      )}
    </QueryClientProvider>
  );
}

async function open(keyOfLink: string | null): Promise<State> {
  try {
    const current = await readSession();
    if (keyOfLink === null)
      return current === null ? { at: 'signed-out', reason: null } : { at: 'signed-in', session: current };
    if (current === null) return { at: 'signed-in', session: await signIn(keyOfLink) };
    // Somebody else may have sent the link, so that what is done here becomes theirs.
    const offered = await readSession(keyOfLink);
    return offered === null || offered.keyId === current.keyId
      ? { at: 'signed-in', session: current }
      : { at: 'asked', current, offered, keyOfLink };
  } catch (error) {
    return { at: 'signed-out', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** What screens read, and `end`, which forgets it and the session's key. */
function useQueries(onEnd: (reason: string | null) => void): {
  queries: QueryClient;
  end(reason: string | null): void;
} {
  return useMemo(() => {
    const onError = (error: unknown): void => {
      if (error instanceof TurnpikeApiError && error.status === 401)
        end('The API key is revoked or has expired.');
    };
    const queries = new QueryClient({
      queryCache: new QueryCache({ onError }),
      mutationCache: new MutationCache({ onError }),
      // The client repeats what may succeed later.
      defaultOptions: { queries: { retry: false, staleTime: 1_000 }, mutations: { retry: false } },
    });
    const end = (reason: string | null): void => {
      queries.clear();
      void signOut().catch(() => undefined);
      onEnd(reason);
    };
    return { queries, end };
  }, [onEnd]);
}
