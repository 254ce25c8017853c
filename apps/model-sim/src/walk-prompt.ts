import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { MessagesRequest } from './request-schema.ts';
import { estimateTokens } from './tokens.ts';

/** The prompt up to and including one block. */
export interface PromptPart {
  /** SHA-256 over everything up to here. */
  digest: string;
  /** Tokens up to here. */
  tokens: number;
  /** The time to live that a `cache_control` here asks for. */
  marker: '5m' | '1h' | null;
}

export interface Prompt {
  parts: readonly PromptPart[];
  tokens: number;
  /** SHA-256 in hex of model, tools, system and messages: equal for equal questions. */
  fingerprint: string;
}

const IMAGE_TOKENS = 1500;
const TOKENS_OF_FRAME = 4;

/** Reads the prompt in the order in which the real API caches it: tools, system, messages. */
export function walkPrompt(request: MessagesRequest): Prompt {
  const parts: PromptPart[] = [];
  let digest = request.model;
  let tokens = TOKENS_OF_FRAME;
  const add = (path: string, part: Part): void => {
    const json = canonicalJson(part);
    digest = createHash('sha256').update(`${digest}\n${path}\n`).update(json).digest('hex');
    tokens += tokensOf(part, json);
    parts.push({ digest, tokens, marker: part.cache_control ? (part.cache_control.ttl ?? '5m') : null });
  };
  for (const tool of request.tools) add('tool', tool);
  for (const block of request.system) add('system', block);
  for (const message of request.messages) {
    for (const block of message.content) add(message.role, block);
    tokens += TOKENS_OF_FRAME;
  }
  const last = parts.at(-1);
  if (last !== undefined && request.cacheControl) last.marker = request.cacheControl.ttl ?? '5m';
  return { parts, tokens, fingerprint: digest };
}

interface Part {
  type?: string;
  text?: unknown;
  cache_control?: MessagesRequest['cacheControl'];
}

function tokensOf(part: Part, json: string): number {
  if (part.type === 'image') return IMAGE_TOKENS;
  return estimateTokens(typeof part.text === 'string' ? part.text.length : json.length);
}
