import { isToolUse, type ContentBlock, type ConversationMessage, type Message } from '@turnpike/contract';
import { sentBlock } from './copy-block.ts';
import { boundMedia } from './media.ts';
import { pairCalls } from './pair-calls.ts';
import { sentMedia, sentText } from './sent-block.ts';
import { isServerBlock, wholeServerCalls } from './server-tools.ts';

export interface Conversation {
  messages: Message[];
  /** Thinking can be asked for: the API does not take it in the middle of a round of calls that began without. */
  mayThink: boolean;
  hasThoughts: boolean;
  hasCalls: boolean;
}

export interface Asked {
  model: string;
  /** Thinking is to be asked for. */
  thinks: boolean;
  /** Thoughts of the conversation are left out. */
  withoutThoughts: boolean;
}

/**
 * The conversation as the Messages API takes it, whatever is stored. Each rule of the API that a conversation can
 * break has its place here; the simulator's table of rules is what this is held against.
 *
 * It depends on what is stored and on what is asked alone, and a conversation that grows keeps the beginning that
 * it had, so that the prompt cache of the API finds it again. Nothing given is changed.
 */
export function buildConversation(stored: readonly ConversationMessage[], asked: Asked): Conversation {
  const keepsThoughts = asked.thinks && !asked.withoutThoughts;
  const serverIds = new Set<string>();
  const known = stored.map(({ role, content, model }): Message => {
    if (role === 'user') return { role, content: content.flatMap(sentByUser) };
    const thinks = keepsThoughts && (model ?? asked.model) === asked.model;
    return { role, content: content.flatMap((block) => sentByModel(block, thinks)) };
  });
  const spoken = merged(known).map(({ role, content }): Message => {
    if (role === 'user') return { role, content };
    return { role, content: withoutLastThoughts(wholeServerCalls(content, serverIds)) };
  });
  const paired = pairCalls(merged(spoken));
  const messages = boundMedia(betweenUsers(merged(paired)));
  const mayThink = asked.thinks && !beganWithoutThought(messages);
  if (asked.thinks && !mayThink && keepsThoughts) {
    return { ...buildConversation(stored, { ...asked, withoutThoughts: true }), mayThink };
  }
  const blocks = messages.flatMap(({ content }) => content);
  return {
    messages,
    mayThink,
    hasThoughts: blocks.some(isThought),
    hasCalls: blocks.some((block) => isToolUse(block) || block.type === 'tool_result'),
  };
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

/** A type that the API does not know would be refused whenever it is sent: it stays in the journal alone. */
function sentByModel(block: ContentBlock, keepsThoughts: boolean): ContentBlock[] {
  if (isThought(block)) return keepsThoughts ? sentThought(block) : [];
  if (block.type === 'text') return sentText(block);
  return isToolUse(block) || isServerBlock(block) ? [block] : [];
}

function isThought({ type }: ContentBlock): boolean {
  return type === 'thinking' || type === 'redacted_thinking';
}

/** Nothing for a thought that is not signed, or not whole. */
function sentThought(block: ContentBlock): ContentBlock[] {
  const { type, thinking, signature, data } = block;
  if (type === 'redacted_thinking') return isFilled(data) ? [sentBlock(block, { type, data })] : [];
  if (typeof thinking !== 'string' || !isFilled(signature)) return [];
  return [sentBlock(block, { type, thinking, signature })];
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** The API refuses a message of the assistant's that ends in a thought: one that was cut off may. */
function withoutLastThoughts(content: readonly ContentBlock[]): ContentBlock[] {
  return content.slice(0, content.findLastIndex((block) => !isThought(block)) + 1);
}

/** Without empty messages; neighbours of one role are one message. */
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

/** The user begins, and speaks last: not every model goes on from the middle of its own message. */
function betweenUsers(messages: readonly Message[]): Message[] {
  const first = messages[0]?.role === 'user' ? [] : [userText(NOT_SHOWN)];
  const last = messages.at(-1)?.role === 'assistant' ? [userText(GO_ON)] : [];
  return [...first, ...messages, ...last];
}

const NOT_SHOWN = '[The beginning of the conversation is not shown.]';
const GO_ON = 'Continue.';

function userText(text: string): Message {
  return { role: 'user', content: [{ type: 'text', text }] };
}

/** Whether the last message of the assistant's has calls, and does not begin with a thought. */
function beganWithoutThought(messages: readonly Message[]): boolean {
  const content = messages.findLast(({ role }) => role === 'assistant')?.content ?? [];
  const [first] = content;
  return content.some(isToolUse) && first !== undefined && !isThought(first);
}
