import type { Agent } from '@turnpike/client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { Link, useLocation } from 'wouter';
import { Button } from '../../parts/button.tsx';
import { Empty, Heading } from '../../parts/heading.tsx';
import { useList } from '../../parts/more.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { useQueryParameter } from '../../parts/use-query-parameter.ts';
import { visibleText } from '../../parts/visible-text.ts';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { ToolCallForm } from './tool-call-form.tsx';

/** Begins a conversation with an agent, which goes on in its session. */
export default function PlaygroundScreen(): ReactElement {
  const mayList = useMay('agents:read');
  const [chosen, setChosen] = useQueryParameter('agent');
  const [input, setInput] = useState('');
  const [, navigate] = useLocation();
  const agents = useList(['agents'], (signal) => turnpike.agents.list({ limit: 100 }, { signal }));
  const agentId = chosen === '' ? (agents.items[0]?.id ?? '') : chosen;
  const agent = useAgent(agentId, agents.items);
  const mayListTools = useMay('tools:read');
  const start = useMutation({
    mutationFn: () => turnpike.turns.submit({ agent_id: agentId, input }),
    onSuccess: (turn) => navigate(`/sessions/${turn.session_id}`),
  });
  if (mayList && agents.data !== undefined && agents.items.length === 0)
    return (
      <>
        <Heading title="Playground" />
        <Empty title="No agents yet">
          <p>
            Make one under <Link href="/agents">Agents</Link>.
          </p>
        </Empty>
      </>
    );
  return (
    <>
      <Heading title="Playground" />
      <form
        className="card form"
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate();
        }}
      >
        <div className="field">
          <label htmlFor="agent">Agent</label>
          {mayList ? (
            <select id="agent" value={agentId} onChange={(event) => setChosen(event.target.value)}>
              {offered(agents.items, agent).map(({ id, name, model }) => (
                <option key={id} value={id}>
                  {visibleText(name.slice(0, 80))} ({model})
                </option>
              ))}
            </select>
          ) : (
            <input
              id="agent"
              value={agentId}
              placeholder="agent_…"
              onChange={(event) => setChosen(event.target.value)}
            />
          )}
        </div>
        <div className="field">
          <label htmlFor="input">Message</label>
          <textarea
            id="input"
            rows={5}
            required
            value={input}
            onChange={(event) => setInput(event.target.value)}
          />
        </div>
        <ProblemNote error={start.error ?? agents.error} />
        <Button
          kind="primary"
          type="submit"
          isBusy={start.isPending}
          disabled={input.trim() === '' || agentId === ''}
        >
          Start
        </Button>
      </form>
      {mayListTools && agent !== undefined && <ToolCallForm agent={agent} onMessage={setInput} />}
    </>
  );
}

/** The chosen agent, which a link may name though it is not among those that are listed. */
function useAgent(id: string, listed: readonly Agent[]): Agent | undefined {
  const found = listed.find((agent) => agent.id === id);
  const { data } = useQuery({
    queryKey: ['agent', id],
    queryFn: ({ signal }) => turnpike.agents.get(id, { signal }),
    enabled: found === undefined && id !== '',
  });
  return found ?? data;
}

function offered(listed: readonly Agent[], chosen: Agent | undefined): readonly Agent[] {
  return chosen === undefined || listed.includes(chosen) ? listed : [chosen, ...listed];
}
