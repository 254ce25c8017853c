import { useId, type ReactElement } from 'react';
import { ActButton } from '../parts/act-button.tsx';
import { Button } from '../parts/button.tsx';
import { Facts } from '../parts/facts.tsx';
import { signIn, type Session } from './session.ts';

interface Props {
  current: Session;
  offered: Session;
  /** Of the link. */
  keyOfLink: string;
  onChosen(session: Session): void;
}

/** Asks before a link takes the place of a session: what is done next would be another tenant's. */
export function SwitchSession({ current, offered, keyOfLink, onChosen }: Props): ReactElement {
  const title = useId();
  return (
    <main className="sign-in">
      <div role="alertdialog" aria-labelledby={title} className="card">
        <h1 id={title}>Switch to the key of this link?</h1>
        <p>
          You are signed in with another one. Switch only if you know who sent the link: from then on
          everything that you do and write belongs to its tenant.
        </p>
        <Facts
          facts={{
            'The link': `${offered.tenantId}, ${offered.keyId}`,
            'Signed in': `${current.tenantId}, ${current.keyId}`,
          }}
        />
        <div className="actions">
          <Button autoFocus onClick={() => onChosen(current)}>
            Stay
          </Button>
          <ActButton label="Switch" act={async () => onChosen(await signIn(keyOfLink))} />
        </div>
      </div>
    </main>
  );
}
