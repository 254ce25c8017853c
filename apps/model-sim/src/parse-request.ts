import type { z } from 'zod';
import { checkConversation } from './check-conversation.ts';
import { checkTools } from './check-tools.ts';
import { invalidRequest } from './api-error.ts';
import { describeIssue, firstIssue } from './format-issue.ts';
import { checkRules } from './request-rules.ts';
import { parseContent } from './parse-content.ts';
import { countTokensSchema, messagesSchema } from './request-schema.ts';
import type { MessagesRequest, RequestMessage } from './request-schema.ts';

/** The first API version that knows no sampling parameters any more. */
const WITHOUT_SAMPLING = '2026-10-21';

function containerIdOf(container: z.infer<typeof messagesSchema>['container']): string | null {
  if (container == null || typeof container === 'string') return container ?? null;
  // An id by itself is a text.
  if (container.skills == null) throw invalidRequest('container: Input should be a valid string');
  return container.id ?? null;
}

interface SentHeaders {
  version: string;
  /** What the `anthropic-beta` header names. */
  betas: readonly string[];
}

/** The body of `POST /v1/messages`, checked as the real API does. Throws `ApiError` 400. */
export function parseMessagesRequest(body: unknown, { version, betas }: SentHeaders): MessagesRequest {
  const parsed = messagesSchema.safeParse(body, { error: describeIssue });
  if (!parsed.success) throw invalidRequest(firstIssue(parsed.error));
  const fields = parsed.data;
  if (version >= WITHOUT_SAMPLING) {
    for (const name of ['temperature', 'top_p', 'top_k'] as const) {
      if (fields[name] !== undefined) throw invalidRequest(`${name}: Extra inputs are not permitted`);
    }
  }
  const budget = fields.thinking?.budget_tokens;
  if (fields.thinking?.type === 'enabled') {
    if (budget === undefined) throw invalidRequest('thinking.enabled.budget_tokens: Field required');
    if (budget >= fields.max_tokens) {
      throw invalidRequest('`max_tokens` must be greater than `thinking.budget_tokens`');
    }
  }
  return {
    ...parsePrompt(fields, betas),
    containerId: containerIdOf(fields.container),
    maxTokens: fields.max_tokens,
    stream: fields.stream ?? false,
    stopSequences: fields.stop_sequences ?? [],
  };
}

/** The body of `POST /v1/messages/count_tokens`. Throws `ApiError` 400. */
export function parseCountTokensRequest(body: unknown, { betas }: SentHeaders): MessagesRequest {
  const parsed = countTokensSchema.safeParse(body, { error: describeIssue });
  if (!parsed.success) throw invalidRequest(firstIssue(parsed.error));
  return {
    ...parsePrompt(parsed.data, betas),
    containerId: null,
    maxTokens: 1,
    stream: false,
    stopSequences: [],
  };
}

type PromptFields = ReturnType<typeof countTokensSchema.parse>;

function parsePrompt(
  fields: PromptFields,
  betas: readonly string[],
): Omit<MessagesRequest, 'containerId' | 'maxTokens' | 'stream' | 'stopSequences'> {
  const tools = checkTools(fields.tools ?? [], fields.tool_choice);
  const thinks = fields.thinking !== undefined && fields.thinking.type !== 'disabled';
  const toolChoice = fields.tool_choice ?? { type: 'auto' };
  if (thinks && (toolChoice.type === 'any' || toolChoice.type === 'tool')) {
    throw invalidRequest('Thinking may not be enabled when tool_choice forces tool use.');
  }
  const system = fields.system === undefined ? [] : parseContent(fields.system, 'system', 'system');
  const messages = mergeRoles(parseMessages(fields.messages));
  checkConversation(messages);
  checkRules({ fields, messages, tools, thinks, betas });
  const request = {
    model: fields.model,
    system,
    tools,
    toolChoice,
    thinking: thinks ? (fields.thinking?.display ?? 'summarized') : ('none' as const),
    speed: fields.speed ?? null,
    messages,
    cacheControl: fields.cache_control,
  };
  checkMarkers(request);
  return request;
}

function parseMessages(messages: PromptFields['messages']): RequestMessage[] {
  if (messages.length === 0) throw invalidRequest('messages: at least one message is required');
  return messages.map((message, index) => {
    const { role } = message;
    if (role !== 'user' && role !== 'assistant' && role !== 'system') {
      throw invalidRequest(`messages.${index}.role: Input should be 'user', 'assistant' or 'system'`);
    }
    const content = parseContent(message.content, `messages.${index}.content`, role);
    const isFinalAssistant = index === messages.length - 1 && role === 'assistant';
    if (content.length === 0 && !isFinalAssistant) {
      throw invalidRequest(
        `messages.${index}: all messages must have non-empty content except for the optional final assistant message`,
      );
    }
    return { index, role, content };
  });
}

function mergeRoles(messages: readonly RequestMessage[]): RequestMessage[] {
  const merged: RequestMessage[] = [];
  for (const message of messages) {
    const previous = merged.at(-1);
    if (previous?.role === message.role) previous.content.push(...message.content);
    else merged.push({ ...message, content: [...message.content] });
  }
  return merged;
}

function checkMarkers(
  request: Pick<MessagesRequest, 'system' | 'tools' | 'messages' | 'cacheControl'>,
): void {
  const marked = [
    ...request.system,
    ...request.tools,
    ...request.messages.flatMap((message) => message.content),
    { cache_control: request.cacheControl },
  ].filter((part) => part.cache_control);
  if (marked.length > 4) {
    throw invalidRequest(`A maximum of 4 blocks with cache_control may be provided. Found ${marked.length}.`);
  }
}
