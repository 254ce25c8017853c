import type { ReactElement } from 'react';
import { useLocation } from 'wouter';
import { ActButton } from '../../parts/act-button.tsx';
import { turnpike } from '../../session/session.ts';

/** Copies the session up to a point, and opens the copy. */
export function ForkButton(props: {
  sessionId: string;
  at: { after_message_id?: string };
  label: string;
  kind?: 'plain' | 'quiet';
}): ReactElement {
  const [, navigate] = useLocation();
  return (
    <ActButton
      label={props.label}
      kind={props.kind ?? 'plain'}
      act={async () => {
        const { id } = await turnpike.sessions.fork(props.sessionId, props.at);
        navigate(`/sessions/${id}`);
      }}
    />
  );
}
