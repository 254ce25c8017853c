import { isToolUse, type ContentBlock, type ConversationMessage, type Message } from '@turnpike/contract';
import { sentBlock } from './copy-block.ts';
import { boundMedia } from './media.ts';
import { pairCalls } from './pair-calls.ts';
import { sentMedia, sentText } from './sent-block.ts';
import { isServerBlock, isThinking, pairServerCalls } from './server-tools.ts';

export interface Conversation {
  messages: Message[];
  /** Thinking can be requested: the API refuses it in a round of calls that began without. */
  mayThink: boolean;
  hasThinking: boolean;
  hasCalls: boolean;
}

export interface ConversationSettings {
  /** The model that is called. */
  model: string;
  /** The agent has thinking switched on. */
  thinking: boolean;
  /** Thinking blocks of the conversation are left out. */
  withoutThinking: boolean;
  /** Documents may be cited: the API refuses that in a request with an output format. */
  cites: boolean;
  /** The tools that the request declares. */
  toolNames: ReadonlySet<string>;
}

/**
 * The conversation as the Messages API accepts it, whatever is stored. Each rule of the API that a conversation can
 * break is handled here; the tests check it against the simulator's table of rules.
 *
 * It depends on nothing but its arguments, and a conversation that grows keeps the beginning that it had, so that
 * the prompt cache of the API finds it again. No argument is changed.
 */
export function buildConversation(
  stored: readonly ConversationMessage[],
  settings: ConversationSettings,
): Conversation {
  const keepsThinking = settings.thinking && !settings.withoutThinking;
  const accepted = stored.map(({ role, content, model }): Message => {
    if (role === 'user') return { role, content: content.flatMap(sentByUser) };
    const keepsOwn = keepsThinking && (model ?? settings.model) === settings.model;
    return { role, content: content.flatMap((block) => sentByModel(block, keepsOwn)) };
  });
  const called = merged(pairCalls(merged(accepted)));
  const complete = pairServerCalls(called, settings.toolNames).map(({ role, content }): Message => {
    return { role, content: role === 'user' ? content : withoutLastThinking(content) };
  });
  const bounded = boundMedia(betweenUsers(merged(complete)));
  const messages = settings.cites ? bounded : bounded.map(withoutCitations);
  const mayThink = settings.thinking && !beganWithoutThinking(messages);
  if (settings.thinking && !mayThink && keepsThinking) {
    return { ...buildConversation(stored, { ...settings, withoutThinking: true }), mayThink };
  }
  const blocks = messages.flatMap(({ content }) => content);
  return {
    messages,
    mayThink,
    hasThinking: blocks.some(isThinking),
    hasCalls: blocks.some((block) => isToolUse(block) || block.type === 'tool_result'),
  };
}

function withoutCitations({ role, content }: Message): Message {
  const without = (block: ContentBlock): ContentBlock => {
    const inner = block['content'];
    if (block.type === 'tool_result' && Array.isArray(inner))
      return { ...block, content: inner.map(without) };
    const { citations: _citations, ...rest } = block;
    return block.type === 'document' ? rest : block;
  };
  return { role, content: content.map(without) };
}

function sentByUser(block: ContentBlock): ContentBlock[] {
  switch (block.type) {
    case 'text':
      return sentText(block);
    case 'image':
    case 'document':
      return [sentMedia(block)];
    case 'tool_result':
      return [block];
    default:
      return [];
  }
}

/** A block of an unknown type would be refused whenever it is sent: it stays in the journal alone. */
function sentByModel(block: ContentBlock, keepsThinking: boolean): ContentBlock[] {
  if (isThinking(block)) return keepsThinking ? sentThinking(block) : [];
  if (block.type === 'text') return sentText(block);
  return isToolUse(block) || isServerBlock(block) ? [block] : [];
}

/** Nothing for thinking that is not signed, or incomplete. */
function sentThinking(block: ContentBlock): ContentBlock[] {
  const { type, thinking, signature, data } = block;
  if (type === 'redacted_thinking') return isFilled(data) ? [sentBlock(block, { type, data })] : [];
  if (typeof thinking !== 'string' || !isFilled(signature)) return [];
  return [sentBlock(block, { type, thinking, signature })];
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** The API refuses an assistant message that ends with thinking, as a truncated one may. */
function withoutLastThinking(content: readonly ContentBlock[]): ContentBlock[] {
  return content.slice(0, content.findLastIndex((block) => !isThinking(block)) + 1);
}

/** Without empty messages; consecutive messages of one role are merged. */
function merged(messages: readonly Message[]): Message[] {
  const kept: Message[] = [];
  for (const { role, content } of messages) {
    if (content.length === 0) continue;
    const previous = kept.at(-1);
    if (previous?.role === role) previous.content.push(...content);
    else kept.push({ role, content: [...content] });
  }
  return kept;
}

/**
 * The first and the last message are the user's: not every model continues its own message. Each continues one in which
 * the API paused among its own tools.
 */
function betweenUsers(messages: readonly Message[]): Message[] {
  const first = messages[0]?.role === 'user' ? [] : [userText(NOT_SHOWN)];
  const end = messages.at(-1);
  const block = end?.content.at(-1);
  const isPaused = block !== undefined && isServerBlock(block);
  const last = end?.role === 'assistant' && !isPaused ? [userText(CONTINUE)] : [];
  return [...first, ...messages, ...last];
}

const NOT_SHOWN = '[The beginning of the conversation is not shown.]';
const CONTINUE = 'Continue.';

function userText(text: string): Message {
  return { role: 'user', content: [{ type: 'text', text }] };
}

/** Whether the last assistant message has calls, and does not begin with thinking. */
function beganWithoutThinking(messages: readonly Message[]): boolean {
  const content = messages.findLast(({ role }) => role === 'assistant')?.content ?? [];
  const [first] = content;
  return content.some(isToolUse) && first !== undefined && !isThinking(first);
}
