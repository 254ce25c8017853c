import type { Turn } from '@turnpike/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { turnpike } from '../../session/session.ts';
import { isTooLate } from './answer.ts';

interface Approval {
  turnId: string;
  callId: string;
  what: string;
}

/** Several approvals at once. Only approvals: a call of unknown outcome wants a look at each. */
export function ManyApprovals({ turns }: { turns: readonly Turn[] }): ReactElement | null {
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const approvals = turns.flatMap(approvalsOf);
  const picked = approvals.filter(({ callId }) => chosen.has(callId));
  const work = useMutation({
    mutationFn: (approved: boolean) => answerAll(picked, approved),
    onSettled: () => {
      setChosen(new Set());
      return queries.invalidateQueries({ queryKey: ['waiting'] });
    },
  });
  if (approvals.length < 2) return null;
  const toggle = (id: string): void =>
    setChosen(
      (before) => new Set(before.has(id) ? [...before].filter((each) => each !== id) : [...before, id]),
    );
  return (
    <details className="card">
      <summary>Answer several of {approvals.length} approvals</summary>
      <label className="check">
        <input
          type="checkbox"
          checked={picked.length === approvals.length}
          onChange={(event) =>
            setChosen(new Set(event.target.checked ? approvals.map(({ callId }) => callId) : []))
          }
        />{' '}
        All
      </label>
      <ul className="calls">
        {approvals.map(({ callId, what }) => (
          <li key={callId}>
            <label className="check">
              <input type="checkbox" checked={chosen.has(callId)} onChange={() => toggle(callId)} />{' '}
              <OutsideLine text={what} />
            </label>
          </li>
        ))}
      </ul>
      <ProblemNote error={work.error} />
      {work.data !== undefined && work.data > 0 && (
        <p role="status">{work.data} of them had been answered by somebody else.</p>
      )}
      <div className="actions">
        <Button
          kind="primary"
          disabled={picked.length === 0}
          isBusy={work.isPending}
          onClick={() => work.mutate(true)}
        >
          Approve {picked.length}
        </Button>
        <Button
          kind="danger"
          disabled={picked.length === 0}
          isBusy={work.isPending}
          onClick={() => work.mutate(false)}
        >
          Deny {picked.length}
        </Button>
      </div>
    </details>
  );
}

function approvalsOf(turn: Turn): Approval[] {
  const calls = turn.required_action?.tool_calls ?? [];
  return calls
    .filter(({ awaiting }) => awaiting === 'approval')
    .map((call) => ({
      turnId: turn.id,
      callId: call.id,
      what: `${call.name} ${JSON.stringify(call.input)}`,
    }));
}

/** One turn after another. Returns how many somebody else had answered. */
async function answerAll(approvals: readonly Approval[], approved: boolean): Promise<number> {
  let late = 0;
  for (const { turnId, callId } of approvals) {
    try {
      await turnpike.turns.submitToolOutputs(turnId, [{ tool_call_id: callId, approved }]);
    } catch (error) {
      if (!isTooLate(error)) throw error;
      late += 1;
    }
  }
  return late;
}
