import type { Agent, CodeTool, Tool } from '@turnpike/client';
import { useQuery } from '@tanstack/react-query';
import { useId, useState, type ReactElement } from 'react';
import { Button } from '../../parts/button.tsx';
import { OutsideText } from '../../parts/outside-text.tsx';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { formValue, SchemaForm } from '../../parts/schema-form/schema-form.tsx';
import { turnpike } from '../../session/session.ts';

/** That are looked through for those of an agent. */
const MOST_TOOLS = 1_000;

interface CallableTool {
  name: string;
  description: string;
  input_schema: Readonly<Record<string, unknown>>;
}

/** Writes a message that asks the model to call a tool of the agent with an input that is made in a form. */
export function ToolCallForm({
  agent,
  onMessage,
}: {
  agent: Agent;
  onMessage(text: string): void;
}): ReactElement {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState('');
  const registered = useQuery({
    queryKey: ['all tools'],
    queryFn: ({ signal }) => listAll(signal),
    enabled: isOpen,
  });
  const tools = toolsOf(agent, registered.data ?? []);
  const tool = tools.find(({ name }) => name === chosen) ?? tools[0];
  return (
    <details className="card form" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Ask for a tool call</summary>
      <ProblemNote error={registered.error} />
      {tool === undefined ? (
        <p className="muted">The agent has no tool whose input is known here.</p>
      ) : (
        <>
          <div className="field">
            <label htmlFor={id}>Tool</label>
            <select id={id} value={tool.name} onChange={({ target }) => setChosen(target.value)}>
              {tools.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </div>
          {isOpen && <InputForm key={`${agent.id} ${tool.name}`} tool={tool} onMessage={onMessage} />}
        </>
      )}
    </details>
  );
}

function InputForm({ tool, onMessage }: { tool: CallableTool; onMessage(text: string): void }): ReactElement {
  const [input, setInput] = useState(() => formValue(tool.input_schema));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onMessage(
          `Call the tool ${tool.name} with exactly this input:\n${JSON.stringify(input ?? {}, null, 2)}`,
        );
      }}
    >
      <OutsideText text={tool.description} />
      <SchemaForm schema={tool.input_schema} label="Input" value={input} onChange={setInput} />
      <Button type="submit">Write the message</Button>
    </form>
  );
}

async function listAll(signal: AbortSignal): Promise<(Tool | CodeTool)[]> {
  const tools: (Tool | CodeTool)[] = [];
  for await (const tool of turnpike.tools.list({ limit: 100 }, { signal })) {
    tools.push(tool);
    if (tools.length === MOST_TOOLS) break;
  }
  return tools;
}

/** Client tools have their schemas with the agent; those of HTTP servers and of workers' code are registered. */
function toolsOf(agent: Agent, registered: readonly (Tool | CodeTool)[]): CallableTool[] {
  return agent.tools.flatMap((tool): readonly CallableTool[] => {
    if (tool.type === 'client') return [tool];
    if (tool.type !== 'http' && tool.type !== 'code') return [];
    return registered.filter(({ type, name }) => type === tool.type && name === tool.name);
  });
}
