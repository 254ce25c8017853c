import type { ReactElement } from 'react';
import { JsonView } from '../../parts/json-view.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { visibleText } from '../../parts/visible-text.ts';
import { useMay } from '../../session/session-context.ts';
import { useAnswer, type WaitingCall } from './answer.ts';
import { AnswerForm, ApprovalForm, OutcomeForm, OutputForm } from './answer-forms.tsx';

/** What is asked, so that one kind is not taken for another. */
const QUESTIONS: Readonly<Record<WaitingCall['awaiting'], string>> = {
  approval: 'May it be called?',
  output: 'What is its output?',
  outcome: 'It was called, and nobody knows whether it took effect. What happened?',
  answer: 'It asks:',
};

interface Props {
  turnId: string;
  call: WaitingCall;
}

export function WaitingCallCard({ turnId, call }: Props): ReactElement {
  const work = useAnswer(turnId);
  const mayWrite = useMay('turns:write');
  const form = { call, isBusy: work.isPending, answer: work.mutate };
  return (
    <article className={`card waiting ${call.awaiting}`} aria-label={`${call.name} awaits ${call.awaiting}`}>
      <p className="title">
        <span className="badge">{call.awaiting}</span> <code>{visibleText(call.name)}</code>
      </p>
      <JsonView value={call.input} />
      <p>
        <strong>{QUESTIONS[call.awaiting]}</strong>
      </p>
      <ProblemNote error={work.error} />
      {!mayWrite && <p className="muted">Your key may not answer (turns:write).</p>}
      {mayWrite && call.awaiting === 'approval' && <ApprovalForm {...form} />}
      {mayWrite && call.awaiting === 'output' && <OutputForm {...form} />}
      {mayWrite && call.awaiting === 'outcome' && <OutcomeForm {...form} />}
      {mayWrite && call.awaiting === 'answer' && <AnswerForm key={call.question?.name} {...form} />}
    </article>
  );
}
