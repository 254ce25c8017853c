import type Anthropic from '@anthropic-ai/sdk';
import { transformJSONSchema } from '@anthropic-ai/sdk/lib/transform-json-schema';
import {
  CONTEXT_MANAGEMENT_BETA,
  countInvalidRounds,
  fastModeOf,
  storableJsonText,
  stringifyExact,
  type AgentConfig,
  type ContentBlock,
  type InputSchema,
  type Message,
  type ModelRequest,
} from '@turnpike/contract';
import { buildConversation } from './conversation/build-conversation.ts';

/** The API version whose shapes this package is written for, and the last that accepts a temperature. */
export const API_VERSION = '2026-10-21';
export const SAMPLING_API_VERSION = '2023-06-01';

/** Of the parameters that the later API version no longer has. */
const SAMPLING = ['temperature', 'top_p', 'top_k'] as const;

/** The body of `POST /v1/messages`. */
export type MessagesBody = Anthropic.MessageCreateParamsStreaming &
  Partial<Record<(typeof SAMPLING)[number], number>> & {
    context_management?: AgentConfig['context_management'];
  };

export interface BuiltRequest {
  /** For `serializeBody` alone: numbers that JavaScript cannot hold are marked in it. */
  body: MessagesBody;
  /** The conversation has thinking blocks. */
  hasThinking: boolean;
  /** The model was just told that a call of its last message cannot be made. */
  followsBrokenCall: boolean;
  /** The value of the `anthropic-version` header. */
  apiVersion: string;
  /** What the `anthropic-beta` header names. */
  betas: string[];
}

/**
 * The request for one model call. Cache markers are on the system prompt, on the last tool and on the last block of
 * the last message that can carry one: at most the four that the API allows.
 * For an agent with a temperature, the API version that accepts one is used: later ones respond with 400.
 */
export function buildRequest(
  request: ModelRequest,
  { withoutThinking = false, withoutContainer = false } = {},
): BuiltRequest {
  const { agent } = request;
  const { thinking } = agent;
  // The short notes of `between_tools` are thinking too: they are sent back.
  const thinks = thinking !== undefined && thinking.type !== 'disabled';
  const toolNames = new Set(request.tools.map(({ name }) => name));
  const settings = {
    model: agent.model,
    thinking: thinks,
    withoutThinking,
    toolNames,
    cites: agent.output_format === undefined,
  };
  const { messages, mayThink, hasThinking, hasCalls } = buildConversation(request.messages, settings);
  const marker = cacheMarker(agent);
  const body: MessagesBody = {
    model: agent.model,
    max_tokens: agent.max_tokens,
    stream: true,
    // The blocks are as the API accepts them, made from stored ones; its types are for blocks that are written by hand.
    messages: markLast(messages, marker) as unknown as Anthropic.MessageParam[],
  };
  const system = systemBlocks(agent.system, marker);
  if (system.length > 0) body.system = system;
  if (request.tools.length > 0) {
    // What is deferred is no part of the prompt, and the API accepts no marker on it.
    const lastShown = request.tools.findLastIndex((tool) => tool['defer_loading'] !== true);
    body.tools = request.tools.map((tool, index) => ({
      ...sentTool(tool),
      ...(index === lastShown ? marker : {}),
    }));
    const choice = toolChoice(agent.tool_choice, messages);
    if (choice !== undefined) body.tool_choice = choice;
  } else if (hasCalls) {
    // The API refuses calls of earlier turns in a request without tools.
    body.tools = [NO_TOOL];
    body.tool_choice = { type: 'none' };
  }
  const stopSequences = agent.stop_sequences?.filter((sequence) => sequence.trim() !== '') ?? [];
  if (stopSequences.length > 0) body.stop_sequences = stopSequences;
  if (thinking !== undefined && (mayThink || !thinks)) body.thinking = withoutUnset(thinking);
  const outputConfig = outputConfigOf(agent);
  if (outputConfig !== null) body.output_config = outputConfig;
  // The tier `batch` is the way that a request goes, and none of its fields.
  if (agent.service_tier !== undefined && agent.service_tier !== 'batch')
    body.service_tier = agent.service_tier;
  if (agent.model_metadata !== undefined) body.metadata = agent.model_metadata;
  if (agent.speed === 'fast') body.speed = agent.speed;
  if (agent.inference_geo !== undefined) body.inference_geo = agent.inference_geo;
  const edits = editsOf(agent, body);
  if (edits.length > 0) body.context_management = { edits };
  const container = containerOf(request, withoutContainer);
  if (container !== null) body.container = container;
  const followsBrokenCall = countInvalidRounds(request.messages) > 0;
  const built = { body, hasThinking, followsBrokenCall, betas: betasOf(agent, body) };
  let apiVersion = API_VERSION;
  for (const name of SAMPLING) {
    const value = agent[name];
    // The API accepts no temperature with thinking.
    if (value === undefined || (thinks && name !== 'top_p')) continue;
    body[name] = value;
    apiVersion = SAMPLING_API_VERSION;
  }
  return { ...built, apiVersion };
}

/** The newest container of the conversation, where the agent can run code, and the skills for it. */
function containerOf(
  { agent, messages, tools }: ModelRequest,
  withoutContainer: boolean,
): Anthropic.MessageCreateParamsContainer | null {
  if (!tools.some(({ name }) => name === 'code_execution')) return null;
  const newest = messages.findLast(({ container }) => container !== undefined)?.container;
  const id = withoutContainer ? null : (newest?.id ?? null);
  // By itself it is a text: the API refuses an object without skills.
  if (agent.container === undefined) return id;
  const skills = agent.container.skills.map((skill) => withoutUnset(skill));
  return id === null ? { skills } : { id, skills };
}

/** What the API is to leave out. Without thinking in the request, it refuses to be told of thinking. */
function editsOf({ context_management: management }: AgentConfig, { thinking }: MessagesBody) {
  const thinks = thinking?.type === 'enabled' || thinking?.type === 'adaptive';
  const edits = management?.edits ?? [];
  return thinks ? edits : edits.filter(({ type }) => type !== 'clear_thinking_20251015');
}

/** Those that the agent names, and those that its parameters need. */
function betasOf(
  { model, betas = [], speed }: AgentConfig,
  { context_management: management }: MessagesBody,
): string[] {
  const needed = [
    management === undefined ? null : CONTEXT_MANAGEMENT_BETA,
    speed === 'fast' ? (fastModeOf(model)?.beta ?? null) : null,
  ];
  return [...new Set([...betas, ...needed.filter((beta) => beta !== null)])];
}

function sentTool(tool: ModelRequest['tools'][number]): Anthropic.ToolUnion {
  // Made from the table of the API's tools, which the compiler cannot compare with the types of all their versions.
  if ('type' in tool) return tool as unknown as Anthropic.ToolUnion;
  const { name, description, input_schema: schema, strict = false, defer_loading: isDeferred } = tool;
  return {
    name,
    description,
    ...(isDeferred === true ? { defer_loading: true } : {}),
    ...(strict ? { input_schema: sentSchema(schema), strict } : { input_schema: schema }),
  };
}

function systemBlocks(system: AgentConfig['system'], marker: CacheMarker): Anthropic.TextBlockParam[] {
  const blocks = typeof system === 'string' ? [{ type: 'text' as const, text: system }] : (system ?? []);
  const written = blocks.filter(({ text }) => text.trim() !== '');
  const isMarked = written.some((block) => 'cache_control' in block && block.cache_control !== undefined);
  return written.map((block, index) => {
    const { type, text } = block;
    const marksThis = isMarked
      ? 'cache_control' in block && block.cache_control !== undefined
      : index === written.length - 1;
    return marksThis ? { type, text, ...marker } : { type, text };
  });
}

/** A forced call is for the first model call of a turn: forced in each, the turn would never end. */
function toolChoice(
  choice: AgentConfig['tool_choice'],
  messages: readonly Message[],
): Anthropic.ToolChoice | undefined {
  if (choice === undefined) return undefined;
  const hasResults = messages.at(-1)?.content.some(({ type }) => type === 'tool_result') ?? false;
  const isForced = choice.type === 'any' || choice.type === 'tool';
  if (!isForced || !hasResults) return withoutUnset(choice);
  return withoutUnset({ type: 'auto', disable_parallel_tool_use: choice.disable_parallel_tool_use });
}

function outputConfigOf({ effort, output_format: format }: AgentConfig): Anthropic.OutputConfig | null {
  if (effort === undefined && format === undefined) return null;
  return {
    ...(effort === undefined ? {} : { effort }),
    ...(format === undefined ? {} : { format: { type: 'json_schema', schema: sentSchema(format.schema) } }),
  };
}

/** The API knows only some keywords: the others become part of the descriptions. */
function sentSchema(schema: InputSchema): { type: 'object'; [keyword: string]: unknown } {
  return { ...transformJSONSchema(schema), type: 'object' };
}

type WithoutUnset<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** Without fields that are undefined, which the types of the SDK do not accept. */
function withoutUnset<T extends object>(value: T): WithoutUnset<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== undefined),
  ) as WithoutUnset<T>;
}

const NO_TOOL: Anthropic.Tool = {
  name: 'no_tool',
  description: 'There are no tools any more.',
  input_schema: { type: 'object' },
};

/** The body as it is sent: numbers are as the model wrote them, and every text is one that the API can read. */
export function serializeBody(body: Pick<MessagesBody, 'messages'>): string {
  return storableJsonText(stringifyExact(body));
}

interface CacheMarker {
  cache_control: Anthropic.CacheControlEphemeral;
}

function cacheMarker({ cache_ttl: ttl }: AgentConfig): CacheMarker {
  return { cache_control: { type: 'ephemeral', ...(ttl === undefined ? {} : { ttl }) } };
}

/**
 * Block types that may carry a marker. Thinking may not, and unknown types do not: a refused request costs more than
 * a missed cache.
 */
const CACHEABLE = new Set([
  'text',
  'image',
  'document',
  'search_result',
  'tool_use',
  'tool_result',
  'server_tool_use',
  'web_search_tool_result',
  'web_fetch_tool_result',
]);

function markLast(messages: Message[], marker: CacheMarker): Message[] {
  const last = messages.at(-1);
  const index = last?.content.findLastIndex((block) => CACHEABLE.has(block.type)) ?? -1;
  const block = last?.content[index];
  if (last === undefined || block === undefined) return messages;
  const marked: ContentBlock = { ...block, ...marker };
  return [...messages.slice(0, -1), { ...last, content: last.content.with(index, marked) }];
}
