import type { McpServer } from '@turnpike/client';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Empty } from '../../parts/heading.tsx';
import { JsonView } from '../../parts/json-view.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';

export function McpServers(): ReactElement {
  const list = useList(['mcp'], (signal) => turnpike.mcpServers.list({ limit: 100 }, { signal }));
  return (
    <Listing list={list} empty={<Empty title="No MCP servers" />}>
      {list.items.map((server) => (
        <Server key={server.id} server={server} />
      ))}
    </Listing>
  );
}

function Server({ server }: { server: McpServer }): ReactElement {
  const { tools_listed_at: listed, last_change: change, refused_tools: refused } = server;
  return (
    <details className="card">
      <summary>
        <code>{server.name}</code> <OutsideLine text={server.url} most={80} />{' '}
        {listed === null ? (
          <span className="muted">not asked yet</span>
        ) : (
          <span className="muted">
            listed <When at={listed} />
          </span>
        )}{' '}
        {refused.length > 0 && <span className="badge bad">{refused.length} tools to accept</span>}
      </summary>
      {change !== null && (
        <p>
          Its tools changed <When at={change.at} />: {change.added.length} added, {change.changed.length}{' '}
          changed, {change.removed.length} removed.
        </p>
      )}
      <Accept server={server} />
      <JsonView value={server} />
    </details>
  );
}

function Accept({ server }: { server: McpServer }): ReactElement | null {
  const mayWrite = useMay('tools:write');
  const queries = useQueryClient();
  const { tools_hash: hash, refused_tools: refused } = server;
  if (!mayWrite || refused.length === 0 || hash === null) return null;
  return (
    <ConfirmButton
      label="Accept these tools"
      title="Accept these tools?"
      kind="primary"
      act={() => turnpike.mcpServers.acceptTools(server.id, { tools_hash: hash })}
      onDone={() => void queries.invalidateQueries({ queryKey: ['mcp'] })}
    >
      <p>Agents have them from then on: {refused.join(', ')}</p>
    </ConfirmButton>
  );
}
