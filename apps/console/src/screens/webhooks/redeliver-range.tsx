import { useMutation } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { turnpike } from '../../session/session.ts';

const PERIODS = [
  { name: 'hour', ms: 3_600_000 },
  { name: 'day', ms: 86_400_000 },
  { name: 'week', ms: 7 * 86_400_000 },
] as const;

/** Sends again what failed in a period. */
export function RedeliverRange({ id, onDone }: { id: string; onDone(): void }): ReactElement {
  const [isOpen, setOpen] = useState(false);
  const work = useMutation({
    mutationFn: async (ms: number) => {
      let since: string | null = new Date(Date.now() - ms).toISOString();
      let sent = 0;
      // A request covers so many deliveries; the next one goes on where it ended.
      for (let requests = 0; since !== null && requests < 100; requests += 1) {
        const done: { redelivered: number; through: string | null } =
          await turnpike.webhookEndpoints.redeliver(id, {
            since,
          });
        sent += done.redelivered;
        since = done.through;
      }
      return sent;
    },
    onSettled: onDone,
  });
  return (
    <>
      <Button onClick={() => setOpen(true)}>Redeliver</Button>
      {isOpen && (
        <Dialog title="Send again what failed" onClose={() => setOpen(false)}>
          <p>Each failed or dead delivery of the last:</p>
          <div className="actions">
            {PERIODS.map(({ name, ms }) => (
              <Button key={name} isBusy={work.isPending} onClick={() => work.mutate(ms)}>
                {name}
              </Button>
            ))}
          </div>
          {work.isPending && <p role="status">Sending…</p>}
          {work.data !== undefined && <p role="status">{work.data} are sent again.</p>}
          <ProblemNote error={work.error} />
        </Dialog>
      )}
    </>
  );
}
