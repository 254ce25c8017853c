import type Anthropic from '@anthropic-ai/sdk';
import type { ContentBlock, Message, ModelRequest } from '@turnpike/contract';
import { prepareConversation } from './prepare-conversation.ts';

/** The API version whose shapes this package is written for, and the last that takes a temperature. */
export const API_VERSION = '2026-10-21';
export const SAMPLING_API_VERSION = '2023-06-01';

/** The body of `POST /v1/messages`. */
export type MessagesBody = Anthropic.MessageCreateParamsStreaming & { temperature?: number };

export interface BuiltRequest {
  body: MessagesBody;
  /** The value of the `anthropic-version` header. */
  apiVersion: string;
}

/**
 * The request for one model call. Cache markers are on the system prompt, on the last tool and on
 * the last block of the last message that can carry one: three of the four that the API allows.
 * An agent with a temperature is asked with the API version that knows it: later ones answer 400.
 */
export function buildRequest(request: ModelRequest): BuiltRequest {
  const { agent } = request;
  const body: MessagesBody = {
    model: agent.model,
    max_tokens: agent.max_tokens,
    stream: true,
    // The blocks are stored as they came, so their types are the API's to check.
    messages: markLast(prepareConversation(request.messages)) as unknown as Anthropic.MessageParam[],
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
  }
  if (agent.stop_sequences !== undefined && agent.stop_sequences.length > 0) {
    body.stop_sequences = agent.stop_sequences;
  }
  if (agent.thinking !== undefined) body.thinking = agent.thinking;
  if (agent.temperature === undefined) return { body, apiVersion: API_VERSION };
  body.temperature = agent.temperature;
  return { body, apiVersion: SAMPLING_API_VERSION };
}

const CACHE_MARKER = { cache_control: { type: 'ephemeral' } } as const;

/**
 * Block types that may carry a marker. Thinking may not, and neither does a type that we do not
 * know: a refused request costs more than a missed cache.
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
