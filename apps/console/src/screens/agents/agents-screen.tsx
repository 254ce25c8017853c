import { useState, type ReactElement } from 'react';
import { Link, useLocation } from 'wouter';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Empty, Heading } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { JsonForm } from '../../parts/json-form.tsx';
import { Table } from '../../parts/table.tsx';

const NEW_AGENT = { name: 'assistant', model: 'claude-sonnet-4-5', system: 'You help.', tools: [] };

export default function AgentsScreen(): ReactElement {
  const mayWrite = useMay('agents:write');
  const [isNew, setNew] = useState(false);
  const [, navigate] = useLocation();
  const list = useList(['agents'], (signal) => turnpike.agents.list({ limit: 100 }, { signal }));
  return (
    <>
      <Heading title="Agents">{mayWrite && <Button onClick={() => setNew(true)}>New agent</Button>}</Heading>
      {isNew && (
        <Dialog title="New agent" onClose={() => setNew(false)}>
          <JsonForm
            label="Agent"
            value={NEW_AGENT}
            submit="Create"
            save={(value) => turnpike.agents.create(value as unknown as typeof NEW_AGENT & { tools: [] })}
            onSaved={(agent) => navigate(`/agents/${agent.id}`)}
          />
        </Dialog>
      )}
      <Listing list={list} empty={<Empty title="No agents yet" />}>
        <Table
          label="Agents"
          head={
            <>
              <th>Name</th>
              <th>Id</th>
              <th>Model</th>
              <th className="number">Tools</th>
              <th className="number">Version</th>
              <th>Changed</th>
            </>
          }
        >
          {list.items.map((agent) => (
            <tr key={agent.id}>
              <td>
                <Link href={`/agents/${agent.id}`}>
                  <OutsideLine text={agent.name} most={60} />
                </Link>
              </td>
              <td>{agent.id}</td>
              <td>{agent.model}</td>
              <td className="number">{agent.tools.length}</td>
              <td className="number">{agent.version}</td>
              <td>
                <When at={agent.updated_at} />
              </td>
            </tr>
          ))}
        </Table>
      </Listing>
    </>
  );
}
