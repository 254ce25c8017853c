import { isFinal, type Turn, type TurnFact } from '@turnpike/client';
import type { ReactElement } from 'react';
import { duration } from '../../parts/figures.ts';
import { More, useList } from '../../parts/more.tsx';
import { OutsideText } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { When } from '../../parts/when.tsx';
import { turnpike } from '../../session/session.ts';
import { describeFact } from './describe-fact.ts';
import { StepRow } from './step-row.tsx';
import type { Followed } from './use-turn.ts';

/** What happened, in order: steps with their time, and between them claims, waits and repetitions. */
export function Timeline({ turn, followed }: { turn: Turn; followed: Followed }): ReactElement {
  const steps = useList(['steps', turn.id], (signal) =>
    turnpike.turns.steps(turn.id, { limit: 100 }, { signal }),
  );
  const span = spanOf(turn);
  const entries = [
    ...steps.items.map((step) => ({ at: Date.parse(step.started_at), order: 1, step, fact: null })),
    ...followed.events
      .filter((fact) => describeFact(fact) !== null)
      .map((fact) => ({ at: Date.parse(fact.created_at), order: 0, step: null, fact })),
  ].toSorted((one, other) => one.at - other.at || one.order - other.order);
  return (
    <section aria-label="Timeline">
      <ProblemNote error={steps.error} />
      <ol className="timeline">
        {turn.started_at !== null && (
          <li className="moment">
            Waited {duration(Date.parse(turn.started_at) - Date.parse(turn.created_at))} for a worker
          </li>
        )}
        {entries.map(({ step, fact }) =>
          step === null ? (
            <Moment key={fact.id} fact={fact} />
          ) : (
            <StepRow
              key={step.id}
              step={step}
              span={span}
              progress={followed.progress}
              isTurnOver={isFinal(turn.status)}
            />
          ),
        )}
        {!isFinal(turn.status) && followed.text !== '' && (
          <li className="step live">
            <p className="muted">The model writes</p>
            <div aria-live="off" data-testid="live-text">
              <OutsideText text={followed.text} />
            </div>
          </li>
        )}
      </ol>
      <More list={steps} />
    </section>
  );
}

function Moment({ fact }: { fact: TurnFact }): ReactElement {
  return (
    <li className="moment">
      {describeFact(fact)} · <When at={fact.created_at} />
    </li>
  );
}

function spanOf(turn: Turn): { from: number; to: number } {
  const from = Date.parse(turn.started_at ?? turn.created_at);
  const to = turn.finished_at === null ? Date.now() : Date.parse(turn.finished_at);
  return { from, to: Math.max(to, from + 1) };
}
