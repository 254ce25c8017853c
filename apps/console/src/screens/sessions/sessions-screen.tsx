import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Empty, Heading } from '../../parts/heading.tsx';
import { Listing } from '../../parts/listing.tsx';
import { useList } from '../../parts/more.tsx';
import { TextFilter } from '../../parts/text-filter.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { When } from '../../parts/when.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { Table } from '../../parts/table.tsx';
import { turnpike } from '../../session/session.ts';

const EVERY_MS = 10_000;

export default function SessionsScreen(): ReactElement {
  const [agent] = useQueryParameter('agent');
  const list = useList(
    ['sessions', agent],
    (signal) =>
      turnpike.sessions.list({ limit: 50, ...(agent === '' ? {} : { agent_id: agent }) }, { signal }),
    EVERY_MS,
  );
  return (
    <>
      <Heading title="Sessions" />
      <div className="filters">
        <TextFilter name="agent" label="Agent id" />
      </div>
      <Listing list={list} empty={<Empty title="No sessions" />}>
        <Table
          label="Sessions"
          head={
            <>
              <th>Session</th>
              <th>Agent</th>
              <th className="number">Turns</th>
              <th>Labels</th>
              <th>Created</th>
            </>
          }
        >
          {list.items.map((session) => (
            <tr key={session.id}>
              <td>
                <Link href={`/sessions/${session.id}`}>{session.id}</Link>
                {session.forked_from !== null && <span className="badge">fork</span>}
                {session.parent_session_id !== null && <span className="badge">of a child turn</span>}
              </td>
              <td>
                <Link href={`/agents/${session.agent_id}`}>{session.agent_id}</Link>
              </td>
              <td className="number">{session.turn_count}</td>
              <td>
                <OutsideLine
                  text={Object.entries(session.metadata)
                    .map((entry) => entry.join('='))
                    .join(' ')}
                  most={80}
                />
              </td>
              <td>
                <When at={session.created_at} />
              </td>
            </tr>
          ))}
        </Table>
      </Listing>
    </>
  );
}
