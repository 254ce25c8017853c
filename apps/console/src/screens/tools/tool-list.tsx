import type { CodeTool, Tool } from '@turnpike/client';
import type { ReactElement } from 'react';
import { Empty } from '../../parts/heading.tsx';
import { JsonView } from '../../parts/json-view.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine, OutsideText } from '../../parts/outside-text.tsx';
import { turnpike } from '../../session/session.ts';

/** Workers come and go. */
const EVERY_MS = 15_000;

/** HTTP tools, and the tools of workers' own code with who has them now. */
export function ToolList(): ReactElement {
  const list = useList(['tools'], (signal) => turnpike.tools.list({ limit: 100 }, { signal }), EVERY_MS);
  return (
    <Listing
      list={list}
      empty={
        <Empty title="No tools yet">
          <p>Tools come from the code of workers (defineTool), or are HTTP servers (POST /v1/tools).</p>
        </Empty>
      }
    >
      {list.items.map((tool) => (
        <details key={tool.id} className="card">
          <summary>
            <code>{tool.name}</code> <span className="badge">{tool.type}</span>{' '}
            <span className="muted">{tool.effect}</span> <Health tool={tool} />{' '}
            <OutsideLine text={tool.description} most={90} />
          </summary>
          <OutsideText text={tool.description} />
          <JsonView value={tool} />
        </details>
      ))}
    </Listing>
  );
}

function Health({ tool }: { tool: Tool | CodeTool }): ReactElement | null {
  if (tool.type !== 'code') return null;
  const { workers, pools } = tool;
  if (workers === 0) return <span className="badge bad">no live worker: turns that need it wait</span>;
  return (
    <span className="badge">
      {workers === 1 ? '1 worker' : `${String(workers)} workers`} in {pools.join(', ')}
    </span>
  );
}
