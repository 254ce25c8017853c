import { getToolName, type DynamicToolUIPart, type ToolUIPart } from 'ai';
import type { ReactNode } from 'react';

type Part = ToolUIPart | DynamicToolUIPart;

const STATES: Record<Part['state'], string> = {
  'input-streaming': 'is being prepared',
  'input-available': 'runs',
  'approval-requested': 'asks for approval',
  'approval-responded': 'was decided on',
  'output-available': 'is done',
  'output-error': 'failed',
  'output-denied': 'was denied',
};

interface Given {
  part: Part;
  mayDecide: boolean;
  onDecision: (approvalId: string, approved: boolean) => void;
}

export function ToolCall({ part, mayDecide, onDecision }: Given): ReactNode {
  const name = getToolName(part);
  return (
    <section className="tool" aria-label={`Tool ${name}`}>
      <p>
        The tool <strong>{name}</strong> {STATES[part.state]}.
      </p>
      <Value name="Input" value={part.input} />
      {part.state === 'output-available' && <Value name="Output" value={part.output} />}
      {part.state === 'output-error' && <p>{part.errorText}</p>}
      {part.state === 'approval-requested' && (
        <div role="group" aria-label={`May ${name} run with this input?`}>
          <button type="button" disabled={!mayDecide} onClick={() => onDecision(part.approval.id, true)}>
            Approve
          </button>
          <button type="button" disabled={!mayDecide} onClick={() => onDecision(part.approval.id, false)}>
            Deny
          </button>
        </div>
      )}
    </section>
  );
}

/** What an approval is about is not hidden. */
function Value({ name, value }: { name: string; value: unknown }): ReactNode {
  if (value === undefined) return null;
  return (
    <pre tabIndex={0} aria-label={name}>
      {typeof value === 'string' ? value : JSON.stringify(value, null, 2)}
    </pre>
  );
}
