import type { Agent } from '@turnpike/client';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { Link, useLocation } from 'wouter';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Facts } from '../../parts/facts.tsx';
import { Heading } from '../../parts/heading.tsx';
import { IdText } from '../../parts/id-text.tsx';
import { JsonView } from '../../parts/json-view.tsx';
import { Loading } from '../../parts/loading.tsx';
import { OutsideLine } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Tabs } from '../../parts/tabs.tsx';
import { When } from '../../parts/when.tsx';
import { useMay } from '../../session/session-context.ts';
import { turnpike } from '../../session/session.ts';
import { configurationOf } from './configuration-of.ts';
import { JsonForm } from '../../parts/json-form.tsx';
import { Versions } from './versions.tsx';

export default function AgentScreen({ id }: { id: string }): ReactElement {
  const mayWrite = useMay('agents:write');
  const maySubmit = useMay('turns:write');
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const { data: agent, error } = useQuery({
    queryKey: ['agent', id],
    queryFn: ({ signal }) => turnpike.agents.get(id, { signal }),
  });
  if (agent === undefined) return error === null ? <Loading /> : <ProblemNote error={error} />;
  const refresh = (): void => {
    for (const key of ['agent', 'agents', 'versions']) void queries.invalidateQueries({ queryKey: [key] });
  };
  return (
    <>
      <Heading title={<OutsideLine text={agent.name} most={80} />}>
        {maySubmit && (
          <Link className="button" href={`/playground?agent=${id}`}>
            Talk to it
          </Link>
        )}
        {mayWrite && (
          <ConfirmButton
            label="Delete agent"
            title="Delete this agent?"
            act={() => turnpike.agents.delete(id)}
            onDone={() => navigate('/agents')}
          >
            <p>Turns that were accepted run to their end. No new one can be submitted.</p>
          </ConfirmButton>
        )}
      </Heading>
      <AgentFacts agent={agent} />
      <Tabs
        label="About this agent"
        tabs={[
          {
            name: 'configuration',
            title: 'Configuration',
            content: () => <JsonView value={configurationOf(agent)} />,
          },
          {
            name: 'versions',
            title: 'Versions',
            content: () => <Versions agent={agent} onRestored={refresh} />,
          },
          ...(mayWrite
            ? [
                {
                  name: 'edit',
                  title: 'Edit',
                  content: () => (
                    <JsonForm
                      key={agent.version}
                      label="Configuration: saving it makes a new version"
                      value={configurationOf(agent)}
                      submit="Save"
                      save={(value) => turnpike.agents.update(id, { ...value, if_version: agent.version })}
                      onSaved={refresh}
                    />
                  ),
                },
              ]
            : []),
        ]}
      />
    </>
  );
}

function AgentFacts({ agent }: { agent: Agent }): ReactElement {
  return (
    <Facts
      facts={{
        Id: <IdText id={agent.id} />,
        Version: agent.version,
        Model: agent.model,
        Tools: agent.tools.length,
        Turns: <Link href={`/turns?agent=${agent.id}`}>show</Link>,
        Sessions: <Link href={`/sessions?agent=${agent.id}`}>show</Link>,
        Changed: <When at={agent.updated_at} />,
      }}
    />
  );
}
