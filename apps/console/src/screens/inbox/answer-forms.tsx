import type { ToolOutputs } from '@turnpike/client';
import { useId, useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { OutsideText } from '../../parts/outside-text.tsx';
import { formValue, SchemaForm } from '../../parts/schema-form/schema-form.tsx';
import type { WaitingCall } from './answer.ts';

interface Props {
  call: WaitingCall;
  isBusy: boolean;
  answer(answers: ToolOutputs): void;
}

export function ApprovalForm({ call, isBusy, answer }: Props): ReactElement {
  const [reason, setReason] = useState('');
  const id = { tool_call_id: call.id };
  return (
    <div className="actions">
      <Button kind="primary" isBusy={isBusy} onClick={() => answer([{ ...id, approved: true }])}>
        Approve
      </Button>
      <Button
        kind="danger"
        isBusy={isBusy}
        onClick={() => answer([{ ...id, approved: false, ...(reason === '' ? {} : { reason }) }])}
      >
        Deny
      </Button>
      <input
        aria-label="Reason for a denial, which the model sees"
        placeholder="Reason for a denial (the model sees it)"
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
    </div>
  );
}

export function OutputForm({ call, isBusy, answer }: Props): ReactElement {
  const [isError, setError] = useState(false);
  return (
    <TextForm
      label="Output"
      submit="Send output"
      isBusy={isBusy}
      onSubmit={(output) =>
        answer([{ tool_call_id: call.id, output, ...(isError ? { is_error: true } : {}) }])
      }
    >
      <label className="check">
        <input type="checkbox" checked={isError} onChange={(event) => setError(event.target.checked)} /> It
        failed
      </label>
    </TextForm>
  );
}

export function OutcomeForm({ call, isBusy, answer }: Props): ReactElement {
  const id = { tool_call_id: call.id };
  return (
    <>
      <TextForm
        label="It took effect; its output was"
        submit="It took effect"
        isBusy={isBusy}
        onSubmit={(output) => answer([{ ...id, output }])}
      />
      <div className="actions">
        <Button isBusy={isBusy} onClick={() => answer([{ ...id, send_again: true }])}>
          It did not: send it again
        </Button>
        <Button isBusy={isBusy} onClick={() => answer([{ ...id, outcome: 'unknown' }])}>
          Nobody can know
        </Button>
      </div>
    </>
  );
}

export function AnswerForm({ call, isBusy, answer }: Props): ReactElement {
  const schema = call.question?.answer_schema ?? {};
  const [value, setValue] = useState(() => formValue(schema));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer([{ tool_call_id: call.id, answer: value ?? null }]);
      }}
    >
      <OutsideText text={call.question?.text ?? ''} />
      <SchemaForm schema={schema} label="Answer" value={value} onChange={setValue} />
      <Button kind="primary" type="submit" isBusy={isBusy}>
        Answer
      </Button>
    </form>
  );
}

function TextForm(props: {
  label: string;
  submit: string;
  isBusy: boolean;
  onSubmit(text: string): void;
  children?: ReactElement;
}): ReactElement {
  const id = useId();
  const [text, setText] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        props.onSubmit(text);
      }}
    >
      <label htmlFor={id}>{props.label}</label>
      <textarea id={id} rows={3} required value={text} onChange={(event) => setText(event.target.value)} />
      <div className="actions">
        <Button kind="primary" type="submit" isBusy={props.isBusy} disabled={text === ''}>
          {props.submit}
        </Button>
        {props.children}
      </div>
    </form>
  );
}
