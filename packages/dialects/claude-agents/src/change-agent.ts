import {
  capabilitiesOf,
  createAgentSchema,
  updateAgentSchema,
  type Agent,
  type CreateAgent,
  type UpdateAgent,
} from '@turnpike/contract';
import { DESCRIPTION, parse, refused, type UseCases } from '@turnpike/dialect-base';
import type { CreateAgentParams, ModelParams, ToolParams, UpdateAgentParams } from './agent-params.ts';
import { checkServers, isShown, toolsOf, type GivenTools } from './agent-tools.ts';
import { inTheirWords, laterInTheirWords } from './errors.ts';
import { LABELS, patchLabels, withLabels } from './labels.ts';

/** Output tokens of one model call, where the model allows as many: these clients have no field for it. */
const MAX_TOKENS = 16_000;

const maxTokensOf = (model: string): number =>
  Math.min(MAX_TOKENS, capabilitiesOf(model)?.maxTokens ?? MAX_TOKENS);

/** The path of a client's request that a path of ours comes from. */
export function theirPath({ paths }: GivenTools): (path: string) => string {
  return (path) => {
    const [field, index = '', ...rest] = path.split('.');
    if (field !== 'tools')
      return ['effort', 'speed', 'inference_geo'].includes(path) ? `model.${path}` : path;
    return [paths[Number(index)] ?? `tools.${index}`, ...rest].join('.');
  };
}

function modelOf(given: ModelParams): Pick<UpdateAgent, 'model' | 'effort' | 'speed' | 'inference_geo'> {
  if (typeof given === 'string') return { model: given };
  const { id, effort, speed, inference_geo: geo } = given;
  return {
    model: id,
    ...(effort == null ? {} : { effort: typeof effort === 'string' ? effort : effort.type }),
    ...(speed == null ? {} : { speed }),
    ...(geo == null ? {} : { inference_geo: geo }),
  };
}

/** A new agent, as `POST /v1/agents` takes it. Throws `invalid_request`, in the client's words. */
export function newAgent(params: CreateAgentParams): { agent: CreateAgent; tools: GivenTools } {
  const tools = toolsOf(params.tools ?? [], params.mcp_servers ?? []);
  const description = labelOf(params.description);
  const metadata = withLabels(patchLabels({}, params.metadata ?? {}, [DESCRIPTION]), description);
  const model = modelOf(params.model);
  const given = {
    name: params.name,
    ...model,
    max_tokens: maxTokensOf(model.model ?? ''),
    ...(params.system == null || params.system === '' ? {} : { system: params.system }),
    tools: tools.tools,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
  return { agent: inTheirWords(theirPath(tools), () => parse(createAgentSchema, given)), tools };
}

const labelOf = (description: string | null | undefined): Record<string, string | null> =>
  description === undefined ? {} : { [DESCRIPTION]: description === '' ? null : description };

export async function createAgent(useCases: UseCases, params: CreateAgentParams): Promise<Agent> {
  const { agent, tools } = newAgent(params);
  await checkNamed(useCases, params.tools ?? [], params);
  return laterInTheirWords(theirPath(tools), () => useCases.agents.create(agent));
}

async function checkNamed(
  { mcpServers }: UseCases,
  tools: readonly ToolParams[],
  { mcp_servers: servers }: Pick<CreateAgentParams, 'mcp_servers'>,
): Promise<void> {
  const given = servers ?? [];
  checkServers(tools, given, await mcpServers.find([...new Set(given.map(({ name }) => name))]));
}

/** What a request changes of tools; undefined where it leaves them. */
export function changedTools(params: UpdateAgentParams): GivenTools | undefined {
  if (params.tools === undefined && params.mcp_servers === undefined) return undefined;
  if (params.tools === undefined)
    throw refused('mcp_servers', 'must be given with tools: each server is named by an mcp_toolset');
  return toolsOf(params.tools ?? [], params.mcp_servers ?? []);
}

/**
 * Changes an agent as a request says. What the client cannot see of it stays: other kinds of tools, and settings that it
 * has no fields for.
 */
export async function updateAgent(
  useCases: UseCases,
  agent: Agent,
  params: UpdateAgentParams,
): Promise<Agent> {
  const given = changedTools(params);
  if (given !== undefined) await checkNamed(useCases, params.tools ?? [], params);
  const kept = agent.tools.filter((tool) => !isShown(tool));
  const tools: GivenTools | undefined = given && {
    tools: [...given.tools, ...kept],
    paths: [...given.paths, ...kept.map(() => 'tools')],
  };
  const patched = patchLabels(agent.metadata, params.metadata ?? {}, [DESCRIPTION]);
  const model = params.model === undefined ? {} : modelOf(params.model);
  const change = {
    ...(params.name === undefined ? {} : { name: params.name }),
    ...(model.model === undefined
      ? {}
      : {
          effort: null,
          speed: null,
          inference_geo: null,
          ...model,
          max_tokens: Math.min(agent.max_tokens, maxTokensOf(model.model)),
        }),
    ...(params.system === undefined ? {} : { system: params.system === '' ? null : params.system }),
    ...(tools === undefined ? {} : { tools: tools.tools }),
    metadata: withLabels(patched, labelOf(params.description)),
    // What was merged here is of this version: a change in between is refused.
    if_version: params.version ?? agent.version,
  };
  return laterInTheirWords(theirPath(tools ?? { tools: [], paths: [] }), () =>
    useCases.agents.update(agent.id, parse(updateAgentSchema, change)),
  );
}

/** Marks an agent: it is listed no more, and gets no new sessions here. */
export function archiveAgent({ agents }: UseCases, agent: Agent): Promise<Agent> {
  if (agent.metadata[LABELS.archivedAt] !== undefined) return Promise.resolve(agent);
  const metadata = withLabels(agent.metadata, { [LABELS.archivedAt]: new Date().toISOString() });
  return agents.update(agent.id, { metadata, if_version: agent.version });
}
