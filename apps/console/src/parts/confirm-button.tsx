import { useMutation } from '@tanstack/react-query';
import { useState, type ReactElement, type ReactNode } from 'react';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { ProblemNote } from './problem-note.tsx';

/** A button for what cannot be undone: it asks first, and stays open where it fails. */
export function ConfirmButton(props: {
  label: string;
  title: string;
  /** What will happen. */
  children: ReactNode;
  kind?: 'plain' | 'danger' | 'primary';
  act(): Promise<unknown>;
  onDone?(): void;
}): ReactElement {
  const [isOpen, setOpen] = useState(false);
  const work = useMutation({
    mutationFn: props.act,
    onSuccess: () => {
      setOpen(false);
      props.onDone?.();
    },
  });
  return (
    <>
      <Button
        kind={props.kind === 'primary' ? 'primary' : 'plain'}
        onClick={() => {
          work.reset();
          setOpen(true);
        }}
      >
        {props.label}
      </Button>
      {isOpen && (
        <Dialog title={props.title} onClose={() => setOpen(false)}>
          {props.children}
          <ProblemNote error={work.error} />
          <div className="actions">
            <Button onClick={() => setOpen(false)}>Keep as it is</Button>
            <Button kind={props.kind ?? 'danger'} isBusy={work.isPending} onClick={() => work.mutate()}>
              {props.label}
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}
