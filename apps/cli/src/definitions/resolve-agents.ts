import type { AgentTool, CreateAgent } from '@turnpike/contract';
import type { Definition } from './definition.ts';

export type AgentDefinition = Extract<Definition, { kind: 'agent' }>;

/** The ids of agents by their names: those that are there, and those that were created since. */
export type AgentIds = ReadonlyMap<string, string>;

/** The body for the API. Tools are left out whose agents are not there yet; `isWhole` is false then. */
export function resolveAgents(
  { value, references }: Pick<AgentDefinition, 'value' | 'references'>,
  ids: AgentIds,
): { body: CreateAgent; isWhole: boolean } {
  const names = new Map(references.map(({ index, agent }) => [index, agent]));
  const tools = value.tools.flatMap((tool, index): AgentTool[] => {
    const name = names.get(index);
    if (name === undefined || tool.type !== 'agent') return [tool];
    const id = ids.get(name);
    return id === undefined ? [] : [{ ...tool, agent_id: id }];
  });
  return { body: { ...value, tools }, isWhole: tools.length === value.tools.length };
}

/** The same definitions, an agent after those that it calls. Where agents call each other in a circle, as they came. */
export function calledFirst<Item extends { definition: Definition }>(items: readonly Item[]): Item[] {
  const byName = new Map(
    items.flatMap((item) =>
      item.definition.kind === 'agent' ? [[item.definition.name, item] as const] : [],
    ),
  );
  const ordered = new Set<Item>();
  const seen = new Set<Item>();
  const add = (item: Item): void => {
    if (seen.has(item)) return;
    seen.add(item);
    const { definition } = item;
    for (const { agent } of definition.kind === 'agent' ? definition.references : []) {
      const called = byName.get(agent);
      if (called !== undefined) add(called);
    }
    ordered.add(item);
  };
  for (const item of items) add(item);
  return [...ordered];
}
