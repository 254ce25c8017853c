import { useMutation } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { Button } from './button.tsx';
import { ProblemNote } from './problem-note.tsx';

/** A button for what harms nothing; its failure is shown beside it. */
export function ActButton(props: {
  label: string;
  kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  disabled?: boolean;
  act(): Promise<unknown>;
  onDone?(): void;
}): ReactElement {
  const work = useMutation({ mutationFn: props.act, onSettled: () => props.onDone?.() });
  return (
    <>
      <Button
        kind={props.kind ?? 'plain'}
        isBusy={work.isPending}
        disabled={props.disabled === true}
        onClick={() => work.mutate()}
      >
        {props.label}
      </Button>
      <ProblemNote error={work.error} />
    </>
  );
}
