import type { Step } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Blocks } from '../../parts/blocks.tsx';
import { dollars, duration, tokens } from '../../parts/figures.ts';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { useMay } from '../../session/session-context.ts';
import { RerunButton } from './rerun-button.tsx';
import { ToolCallView } from './tool-call-view.tsx';

const NAMES: Readonly<Record<Step['type'], string>> = {
  model_call: 'Model call',
  tool_calls: 'Tool calls',
  compaction: 'Compaction',
};

interface Props {
  step: Step;
  /** Of the whole turn. Milliseconds. */
  span: { from: number; to: number };
  progress: ReadonlyMap<string, string | number>;
  isTurnOver: boolean;
}

/** One step: a bar that shows when, and inside what went in and out. */
export function StepRow({ step, span, progress, isTurnOver }: Props): ReactElement {
  const mayWrite = useMay('turns:write');
  const began = Date.parse(step.started_at);
  const ended = Date.parse(step.completed_at);
  const isModel = step.type !== 'tool_calls';
  return (
    <li className="step">
      <details>
        <summary>
          <span className="step-name">
            {step.index} · {NAMES[step.type]}
          </span>
          <span className="step-what">
            <OutsideLine
              text={isModel ? describeModelStep(step) : step.tool_calls.map(({ name }) => name).join(', ')}
              most={90}
            />
          </span>
          {step.attempts > 1 && <span className="badge">{step.attempts} attempts</span>}
          <Bar
            from={(began - span.from) / (span.to - span.from)}
            to={(ended - span.from) / (span.to - span.from)}
            kind={step.type}
          />
          <span className="number">{duration(ended - began)}</span>
          <span className="number wide">{isModel ? tokens(step.usage) : ''}</span>
          <span className="number wide">{isModel ? dollars(step.cost_micros) : ''}</span>
        </summary>
        <div className="step-body">
          {step.content.length > 0 && <Blocks content={step.content} />}
          {step.tool_calls.map((call) => (
            <ToolCallView key={call.id} call={call} progress={progress.get(call.id)} />
          ))}
          <p className="muted">
            {step.model !== null && `${step.model} · `}
            {step.stop_reason !== null && `${step.stop_reason} · `}
            {step.provider_request_id !== null && `${step.provider_request_id} · `}
            {step.id}
          </p>
          {mayWrite && isTurnOver && step.index > 0 && (
            <RerunButton
              turnId={step.turn_id}
              fromStep={step.index}
              label={`Make again from step ${String(step.index)}`}
            />
          )}
        </div>
      </details>
    </li>
  );
}

function describeModelStep({ content }: Step): string {
  const texts = content.flatMap((block) =>
    block.type === 'text' ? String(block['text']).slice(0, 100) : [],
  );
  const calls = content.flatMap((block) =>
    block.type === 'tool_use' ? `calls ${String(block['name'])}` : [],
  );
  return [...texts, ...calls].join(' · ');
}

function Bar({ from, to, kind }: { from: number; to: number; kind: string }): ReactElement {
  const left = clamp(from) * 100;
  const width = Math.max(1, clamp(to) * 100 - left);
  return (
    <svg className={`bar ${kind}`} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect className="track" width="100" height="8" rx="1" />
      <rect className="part" x={Math.min(left, 99)} width={width} height="8" rx="1" />
    </svg>
  );
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));
