import type { CallCost, ContentBlock, ModelRequest, Usage } from '@turnpike/contract';
import type { Price } from './prices.ts';

/** What a call cost, in whole millionths of a US dollar: rounded up, so that no part of one is lost. */
export function costOf(usage: Usage, price: Price): number {
  const cost =
    usage.input_tokens * price.input +
    usage.output_tokens * price.output +
    usage.cache_creation_input_tokens * price.cache_write +
    usage.cache_read_input_tokens * price.cache_read;
  return Math.ceil(round(cost));
}

/** An image is scaled down to less than this, whatever its bytes. */
const IMAGE_TOKENS = 5_000;
/** A document's pages count as text and as images: a hundred dense ones. */
const DOCUMENT_TOKENS = 300_000;
/** What the API adds of its own: the frame, and instructions for tools. */
const FRAME_TOKENS = 1_000;

/**
 * What a call may cost at most: every byte of the request that could be
 * a token, written to the cache where that is dearer, and all the output that it may have.
 */
export function mostCostOf(request: ModelRequest, price: Price): CallCost {
  const { agent, messages, tools } = request;
  const spoken = tokensIn(agent.system ?? '') + tokensIn(tools);
  const said = messages
    .flatMap((message) => message.content)
    .reduce((sum, block) => sum + mostTokens(block), 0);
  const input = FRAME_TOKENS + spoken + said;
  const micros = input * Math.max(price.input, price.cache_write) + agent.max_tokens * price.output;
  return { micros: Math.ceil(round(micros)), tokens: input + agent.max_tokens };
}

function mostTokens(block: ContentBlock): number {
  if (block.type === 'image') return IMAGE_TOKENS;
  if (block.type === 'document' && !isPlain(block)) return DOCUMENT_TOKENS;
  const content = block['content'];
  if (!Array.isArray(content)) return tokensIn(block);
  // A tool's result holds blocks in its turn.
  return content.reduce(
    (sum: number, part: unknown) => sum + (isBlock(part) ? mostTokens(part) : tokensIn(part)),
    50,
  );
}

function isPlain({ source }: ContentBlock): boolean {
  return typeof source === 'object' && source !== null && 'type' in source && source.type === 'text';
}

function isBlock(part: unknown): part is ContentBlock {
  return typeof part === 'object' && part !== null && 'type' in part && typeof part.type === 'string';
}

/** No token is shorter than a byte; English has four in one. */
function tokensIn(value: unknown): number {
  return Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Takes off what binary fractions add: 0.1 x 3 is 0.3 here. */
function round(micros: number): number {
  return Math.round(micros * 1e6) / 1e6;
}
