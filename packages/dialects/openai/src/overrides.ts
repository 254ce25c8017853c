import { isDeepStrictEqual } from 'node:util';
import type { Agent, AgentTool } from '@turnpike/contract';
import { refused } from '@turnpike/dialect-base';
import type { CreateResponse, FunctionTool } from './request.ts';

type Given = Omit<CreateResponse, 'input' | 'model'>;
type Tool = Record<string, unknown>;

/**
 * What the turn has instead of its agent's configuration; undefined where the request asks for nothing else. It is
 * checked where the turn is accepted. `model`: a Claude model that the request names in place of an agent.
 */
export function overridesOf(
  agent: Agent,
  model: string | null,
  given: Given,
  said: readonly string[],
): Record<string, unknown> | undefined {
  const { reasoning, text } = given;
  const system = [given.instructions ?? '', ...said].filter((part) => part !== '').join('\n\n');
  const overrides = {
    model: model === null || model === agent.model ? undefined : model,
    system: system === '' ? undefined : system,
    max_tokens: given.max_output_tokens ?? undefined,
    temperature: given.temperature ?? undefined,
    top_p: given.top_p ?? undefined,
    ...effortOf(reasoning?.effort ?? null),
    output_format:
      text?.format?.type === 'json_schema' ? { type: 'json_schema', schema: text.format.schema } : undefined,
    tools: toolsOf(agent.tools, given.tools ?? []),
    tool_choice: toolChoiceOf(given),
    service_tier: given.service_tier === 'default' ? 'standard_only' : undefined,
    model_metadata: given.safety_identifier == null ? undefined : { user_id: given.safety_identifier },
  };
  const set = Object.entries(overrides).filter(([, value]) => value !== undefined);
  return set.length === 0 ? undefined : Object.fromEntries(set);
}

function effortOf(effort: NonNullable<Given['reasoning']>['effort'] | null): object {
  if (effort == null) return {};
  if (effort === 'none') return { thinking: { type: 'disabled' } };
  return { effort: effort === 'minimal' ? 'low' : effort };
}

/** The agent's tools and those functions, where these are not among them already. */
function toolsOf(own: readonly AgentTool[], functions: readonly FunctionTool[]): Tool[] | undefined {
  const given = functions.map(clientTool);
  const known = (tool: Tool): boolean =>
    own.some((one) => one.type === 'client' && one.name === tool['name'] && sameTool(one, tool));
  if (given.every(known)) return undefined;
  for (const [index, { name }] of functions.entries()) {
    if (own.some((one) => one.type !== 'client' && 'name' in one && one.name === name))
      throw refused(`tools.${index}.name`, `the agent has another tool of this name`);
  }
  const names = new Set(functions.map(({ name }) => name));
  return [...own.filter((one) => one.type !== 'client' || !names.has(one.name)), ...given];
}

function clientTool({ name, description, parameters, strict }: FunctionTool): Tool {
  return {
    type: 'client',
    name,
    description: description == null || description === '' ? name : description,
    input_schema: parameters ?? { type: 'object', properties: {} },
    ...(strict === true ? { strict } : {}),
  };
}

function sameTool(one: AgentTool & { type: 'client' }, other: Tool): boolean {
  const { name, description, input_schema: schema, strict } = one;
  const own = {
    type: 'client',
    name,
    description,
    input_schema: schema,
    ...(strict === true ? { strict } : {}),
  };
  return isDeepStrictEqual(own, other);
}

function toolChoiceOf({ tool_choice: choice, parallel_tool_calls: parallel }: Given): object | undefined {
  const alone = parallel === false ? { disable_parallel_tool_use: true } : {};
  if (choice == null || choice === 'auto') return parallel === false ? { type: 'auto', ...alone } : undefined;
  if (choice === 'none') return { type: 'none' };
  if (choice === 'required') return { type: 'any', ...alone };
  return { type: 'tool', name: choice.name, ...alone };
}
