import { isTextBlock, isToolResultBlock } from './request-schema.ts';
import type { Block, MessagesRequest, RequestMessage } from './request-schema.ts';

/** What a rule may ask about a request. */
export interface Facts {
  model: string;
  apiKey: string;
  /** Text of the last user message that has any. */
  text: string;
  /** The first `[[marker]]` of the conversation. */
  session: string | null;
  /** The last `[[marker]]` of `text`. */
  turn: string | null;
  /** Assistant messages since the last plain user message. */
  step: number;
  hasToolResult: boolean;
  /** Text of the first tool result in the last message. */
  toolResult: string;
}

const MARKER = /\[\[([^\]\s]{1,100})\]\]/g;

export function readFacts(request: MessagesRequest, apiKey: string): Facts {
  const texts = request.messages.filter((message) => message.role === 'user').map(textOfMessage);
  const text = texts.findLast((candidate) => candidate !== '') ?? '';
  const last = request.messages.at(-1);
  const results = last?.role === 'user' ? last.content.filter(isToolResultBlock) : [];
  return {
    model: request.model,
    apiKey,
    text,
    session: firstMarker(texts),
    turn: [...text.matchAll(MARKER)].at(-1)?.[1] ?? null,
    step: stepOf(request.messages),
    hasToolResult: results.length > 0,
    toolResult: textOfResult(results[0]?.content),
  };
}

/** The text blocks of a message, joined by lines. */
export function textOfMessage(message: RequestMessage): string {
  return message.content
    .filter(isTextBlock)
    .map((block) => block.text)
    .join('\n');
}

/** What a tool said, as text; what is no text is left out. */
export function textOfResult(content: string | readonly Block[] | undefined): string {
  if (content === undefined || typeof content === 'string') return content ?? '';
  return content
    .filter(isTextBlock)
    .map((block) => block.text)
    .join('\n');
}

function firstMarker(texts: readonly string[]): string | null {
  for (const text of texts) {
    const marker = [...text.matchAll(MARKER)][0]?.[1];
    if (marker !== undefined) return marker;
  }
  return null;
}

function stepOf(messages: readonly RequestMessage[]): number {
  let step = 0;
  for (const message of messages.toReversed()) {
    if (message.role === 'assistant') step += 1;
    if (message.role === 'user' && !message.content.some(isToolResultBlock)) break;
  }
  return step;
}
