import { isFinal, type Turn } from '@turnpike/client';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { useLocation } from 'wouter';
import { ActButton } from '../../parts/act-button.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { RerunButton } from './rerun-button.tsx';

/** Cancel, resume and make again. */
export function TurnActs({ turn }: { turn: Turn }): ReactElement | null {
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const mayWrite = useMay('turns:write');
  if (!mayWrite) return null;
  const refresh = (): void => void queries.invalidateQueries({ queryKey: ['turn', turn.id] });
  return (
    <>
      {!isFinal(turn.status) && turn.status !== 'cancelling' && (
        <ConfirmButton
          label="Cancel turn"
          title="Cancel this turn?"
          act={() => turnpike.turns.cancel(turn.id)}
          onDone={refresh}
        >
          <p>What it has done stays done. A model call or a tool that runs now is stopped.</p>
        </ConfirmButton>
      )}
      {turn.status === 'incomplete' && (
        <ActButton
          label="Resume"
          act={async () => {
            const next = await turnpike.turns.resume(turn.id);
            navigate(`/turns/${next.id}`);
          }}
        />
      )}
      {isFinal(turn.status) && <RerunButton turnId={turn.id} fromStep={0} label="Make again" />}
    </>
  );
}
