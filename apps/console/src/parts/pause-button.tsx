import type { ReactElement } from 'react';
import { ActButton } from './act-button.tsx';
import { ConfirmButton } from './confirm-button.tsx';

/** Pauses, after a question, or resumes. */
export function PauseButton(props: {
  /** Such as `pool default`. */
  what: string;
  isPaused: boolean;
  pause(): Promise<unknown>;
  resume(): Promise<unknown>;
  onDone(): void;
}): ReactElement {
  const { what, isPaused, pause, resume, onDone } = props;
  if (isPaused) return <ActButton label={`Resume ${what}`} act={resume} onDone={onDone} />;
  return (
    <ConfirmButton label={`Pause ${what}`} title={`Pause ${what}?`} act={pause} onDone={onDone}>
      <p>Turns that run go on. Others are accepted, and wait until it is resumed.</p>
    </ConfirmButton>
  );
}
