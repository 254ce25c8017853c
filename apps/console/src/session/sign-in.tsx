import { useState, type FormEvent, type ReactElement } from 'react';
import { Button } from '../parts/button.tsx';
import { signIn, type Session } from './session.ts';

/** `reason`: why a session ended. */
export function SignIn(props: { reason: string | null; onSignedIn(session: Session): void }): ReactElement {
  const [key, setKey] = useState('');
  const [problem, setProblem] = useState(props.reason);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      props.onSignedIn(await signIn(key.trim()));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="sign-in">
      <form onSubmit={(event) => void submit(event)} className="card">
        <h1>Turnpike</h1>
        <label htmlFor="key">API key</label>
        <input
          id="key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
          placeholder="tp_live_…"
          aria-describedby="key-hint"
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
        <p id="key-hint" className="muted">
          <code>npx turnpike keys create TENANT</code> makes one. It is kept in a cookie that no script can
          read, until the browser is closed.
        </p>
        {problem !== null && (
          <p role="alert" className="problem">
            {problem}
          </p>
        )}
        <Button kind="primary" type="submit" isBusy={isBusy} disabled={key.trim() === ''}>
          Sign in
        </Button>
      </form>
    </main>
  );
}
