import type { ContentBlock } from '@turnpike/client';
import type { ReactElement } from 'react';
import { JsonView } from './json-view.tsx';
import { OutsideText } from './outside-text.tsx';

/** More blocks of one message than a person reads. */
const MOST_BLOCKS = 100;

/** The content of a message or of a tool result. */
export function Blocks({ content }: { content: readonly ContentBlock[] }): ReactElement {
  return (
    <div className="blocks">
      {content.slice(0, MOST_BLOCKS).map((block, index) => (
        // eslint-disable-next-line react/no-array-index-key -- blocks have no id, and do not move
        <Block key={index} block={block} />
      ))}
      {content.length > MOST_BLOCKS && <p className="muted">{content.length - MOST_BLOCKS} more blocks.</p>}
    </div>
  );
}

function Block({ block }: { block: ContentBlock }): ReactElement {
  const { type } = block;
  if (type === 'text') return <OutsideText text={String(block['text'])} />;
  if (type === 'thinking')
    return (
      <details>
        <summary>Thinking</summary>
        <OutsideText text={typeof block['thinking'] === 'string' ? block['thinking'] : ''} />
      </details>
    );
  if (type === 'tool_use')
    return (
      <details open>
        <summary>
          Calls <code>{String(block['name'])}</code>
        </summary>
        <JsonView value={block['input']} />
      </details>
    );
  if (type === 'tool_result') return <ToolResult block={block} />;
  return (
    <details>
      <summary>
        <code>{type}</code>
      </summary>
      <JsonView value={block} />
    </details>
  );
}

function ToolResult({ block }: { block: ContentBlock }): ReactElement {
  const { content } = block;
  return (
    <details open>
      <summary>{block['is_error'] === true ? 'The tool failed' : 'Tool result'}</summary>
      {typeof content === 'string' ? (
        <OutsideText text={content} />
      ) : Array.isArray(content) ? (
        <Blocks content={content.filter(isBlock)} />
      ) : (
        <JsonView value={content} />
      )}
    </details>
  );
}

function isBlock(value: unknown): value is ContentBlock {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
