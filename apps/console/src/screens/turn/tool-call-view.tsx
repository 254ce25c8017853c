import type { Step } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Blocks } from '../../parts/blocks.tsx';
import { duration } from '../../parts/figures.ts';
import { JsonView } from '../../parts/json-view.tsx';
import { Status } from '../../parts/status.tsx';
import { visibleText } from '../../parts/visible-text.ts';

type ToolCall = Step['tool_calls'][number];

/** One call of a tool: what was asked, what came back, and its durable steps. */
export function ToolCallView(props: { call: ToolCall; progress: string | number | undefined }): ReactElement {
  const { call, progress } = props;
  const { started_at: from, completed_at: to } = call;
  return (
    <section className="tool-call" aria-label={`Call of ${call.name}`}>
      <p className="title">
        <code>{visibleText(call.name)}</code> <Status status={call.is_error ? 'failed' : call.status} />
        <span className="muted">
          {' '}
          {call.effect}
          {call.attempts > 1 && ` · sent ${String(call.attempts)} times`}
          {from !== null && to !== null && ` · ${duration(Date.parse(to) - Date.parse(from))}`}
          {call.awaiting !== null && ` · awaits ${call.awaiting}`}
        </span>
      </p>
      {progress !== undefined && call.completed_at === null && (
        <p role="status">
          {typeof progress === 'number' ? `${String(Math.round(progress * 100))} %` : visibleText(progress)}
        </p>
      )}
      <div className="in-out">
        <div>
          <p className="label">Input</p>
          <JsonView value={call.input} />
        </div>
        <div>
          <p className="label">Output</p>
          {call.output === null ? <p className="muted">None yet</p> : <Blocks content={call.output} />}
        </div>
      </div>
      {call.steps.length > 0 && (
        <ul className="calls">
          {call.steps.map((step) => (
            <li key={step.name}>
              <Status status={step.status} /> <code>{visibleText(step.name)}</code>{' '}
              <span className="muted">{step.effect}</span>
            </li>
          ))}
        </ul>
      )}
      {call.child_turn_id !== null && (
        <p>
          Child turn <Link href={`/turns/${call.child_turn_id}`}>{call.child_turn_id}</Link>
        </p>
      )}
    </section>
  );
}
