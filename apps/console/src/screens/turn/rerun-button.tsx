import type { RerunPreview } from '@turnpike/client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { useLocation } from 'wouter';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { JsonView } from '../../parts/json-view.tsx';
import { Loading } from '../../parts/loading.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { turnpike } from '../../session/session.ts';

/** Makes a turn again from a step on, after a look at what would happen again. */
export function RerunButton(props: { turnId: string; fromStep: number; label: string }): ReactElement {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>{props.label}</Button>
      {isOpen && <RerunDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

function RerunDialog(props: { turnId: string; fromStep: number; onClose(): void }): ReactElement {
  const { turnId, fromStep } = props;
  const [, navigate] = useLocation();
  const preview = useQuery({
    queryKey: ['rerun', turnId, fromStep],
    queryFn: () => turnpike.turns.previewRerun(turnId, { from_step: fromStep }),
    gcTime: 0,
  });
  const rerun = useMutation({
    mutationFn: (confirmation: string) => turnpike.turns.rerun(turnId, { from_step: fromStep, confirmation }),
    onSuccess: (turn) => navigate(`/turns/${turn.id}`),
    onError: () => void preview.refetch(),
  });
  return (
    <Dialog
      title={fromStep === 0 ? 'Make this turn again' : `Make again from step ${String(fromStep)}`}
      onClose={props.onClose}
    >
      <p>A new turn, in a fork of the session. This one stays as it is.</p>
      {preview.isPending && <Loading />}
      <ProblemNote error={preview.error ?? rerun.error} />
      {preview.data !== undefined && <WhatHappensAgain preview={preview.data} />}
      <div className="actions">
        <Button onClick={props.onClose}>Keep as it is</Button>
        <Button
          kind="primary"
          isBusy={rerun.isPending}
          disabled={preview.data === undefined}
          onClick={() => preview.data !== undefined && rerun.mutate(preview.data.confirmation)}
        >
          Make again
        </Button>
      </div>
    </Dialog>
  );
}

function WhatHappensAgain({ preview }: { preview: RerunPreview }): ReactElement {
  const { tool_calls: calls, tool_call_count: count } = preview;
  if (count === 0) return <p>No tool call that may have changed something would happen again.</p>;
  return (
    <>
      <p>
        <strong>{count === 1 ? 'This tool call' : `These ${String(count)} tool calls`}</strong> may have
        changed something, and may happen again:
      </p>
      <ul className="calls">
        {calls.map((call) => (
          <li key={call.id}>
            <details>
              <summary>
                <code>{call.name}</code> · {call.effect} · {call.status} · step {call.step_index}
              </summary>
              <JsonView value={call.input} />
            </details>
          </li>
        ))}
      </ul>
      {count > calls.length && <p className="muted">And {count - calls.length} more.</p>}
    </>
  );
}
