import { isReasoningUIPart, isToolUIPart, type UIMessage } from 'ai';
import type { ReactNode } from 'react';
import { isOpenAction } from './connection/turn-of-message.ts';
import { ToolCall } from './tool-call.tsx';

type Part = UIMessage['parts'][number];

interface Given {
  message: UIMessage;
  /** Not while the message is streamed. */
  mayDecide: boolean;
  onDecision: (approvalId: string, approved: boolean) => void;
}

export function MessageView({ message: { role, parts }, ...decisions }: Given): ReactNode {
  const name = role === 'user' ? 'You' : 'Assistant';
  return (
    <li className={role}>
      <article aria-label={name}>
        <h2>{name}</h2>
        {parts.map((part, index) => (
          // Parts are only ever added at the end.
          <PartView key={index} part={part} {...decisions} />
        ))}
      </article>
    </li>
  );
}

function PartView({ part, ...decisions }: { part: Part } & Omit<Given, 'message'>): ReactNode {
  if (part.type === 'text') return <p className="text">{part.text}</p>;
  if (isReasoningUIPart(part))
    return part.text === '' ? null : (
      <details>
        <summary>Reasoning</summary>
        <p className="text">{part.text}</p>
      </details>
    );
  if (isToolUIPart(part)) return <ToolCall part={part} {...decisions} />;
  if (part.type === 'source-url')
    return (
      <p>
        Source: <a href={part.url}>{part.title ?? part.url}</a>
      </p>
    );
  if (isOpenAction(part)) return <p>A person has to decide something, which this page does not show.</p>;
  return null;
}
