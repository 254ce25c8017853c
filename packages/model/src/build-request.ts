import type Anthropic from '@anthropic-ai/sdk';
import {
  countInvalidRounds,
  storableJsonText,
  stringifyExact,
  type ContentBlock,
  type Message,
  type ModelRequest,
} from '@turnpike/contract';
import { buildConversation } from './conversation/build-conversation.ts';

/** The API version whose shapes this package is written for, and the last that accepts a temperature. */
export const API_VERSION = '2026-10-21';
export const SAMPLING_API_VERSION = '2023-06-01';

/** The body of `POST /v1/messages`. */
export type MessagesBody = Anthropic.MessageCreateParamsStreaming & { temperature?: number };

export interface BuiltRequest {
  /** For `serializeBody` alone: numbers that JavaScript cannot hold are marked in it. */
  body: MessagesBody;
  /** The conversation has thinking blocks. */
  hasThinking: boolean;
  /** The model was just told that a call of its last message cannot be made. */
  followsBrokenCall: boolean;
  /** The value of the `anthropic-version` header. */
  apiVersion: string;
}

/**
 * The request for one model call. Cache markers are on the system prompt, on the last tool and on
 * the last block of the last message that can carry one: three of the four that the API allows.
 * For an agent with a temperature, the API version that accepts one is used: later ones respond with 400.
 */
export function buildRequest(request: ModelRequest, { withoutThinking = false } = {}): BuiltRequest {
  const { agent } = request;
  const { thinking } = agent;
  const settings = { model: agent.model, thinking: thinking !== undefined, withoutThinking };
  const { messages, mayThink, hasThinking, hasCalls } = buildConversation(request.messages, settings);
  const body: MessagesBody = {
    model: agent.model,
    max_tokens: agent.max_tokens,
    stream: true,
    // The blocks are as the API accepts them, made from stored ones; its types are for blocks that are written by hand.
    messages: markLast(messages) as unknown as Anthropic.MessageParam[],
  };
  if (agent.system !== undefined && agent.system.trim() !== '') {
    body.system = [{ type: 'text', text: agent.system, ...CACHE_MARKER }];
  }
  if (request.tools.length > 0) {
    body.tools = request.tools.map((tool, index) => ({
      name: tool.name,
      description: tool.description,
      input_schema: tool.input_schema,
      ...(index === request.tools.length - 1 ? CACHE_MARKER : {}),
    }));
  } else if (hasCalls) {
    // The API refuses calls of earlier turns in a request without tools.
    body.tools = [NO_TOOL];
    body.tool_choice = { type: 'none' };
  }
  const stopSequences = agent.stop_sequences?.filter((sequence) => sequence.trim() !== '') ?? [];
  if (stopSequences.length > 0) body.stop_sequences = stopSequences;
  if (thinking !== undefined && mayThink) body.thinking = thinking;
  const followsBrokenCall = countInvalidRounds(request.messages) > 0;
  const built = { body, hasThinking, followsBrokenCall, apiVersion: API_VERSION };
  // The API accepts no temperature with thinking.
  if (agent.temperature === undefined || thinking !== undefined) return built;
  body.temperature = agent.temperature;
  return { ...built, apiVersion: SAMPLING_API_VERSION };
}

const NO_TOOL: Anthropic.Tool = {
  name: 'no_tool',
  description: 'There are no tools any more.',
  input_schema: { type: 'object' },
};

/** The body as it is sent: numbers are as the model wrote them, and every text is one that the API can read. */
export function serializeBody(body: MessagesBody): string {
  return storableJsonText(stringifyExact(body));
}

const CACHE_MARKER = { cache_control: { type: 'ephemeral' } } as const;

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

function markLast(messages: Message[]): Message[] {
  const last = messages.at(-1);
  const index = last?.content.findLastIndex((block) => CACHEABLE.has(block.type)) ?? -1;
  const block = last?.content[index];
  if (last === undefined || block === undefined) return messages;
  const marked: ContentBlock = { ...block, ...CACHE_MARKER };
  return [...messages.slice(0, -1), { ...last, content: last.content.with(index, marked) }];
}
