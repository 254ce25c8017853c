import {
  fileSourceOf,
  isTextMediaType,
  type AgentConfig,
  type CallCost,
  type ContentBlock,
  type ModelRequest,
  type Usage,
} from '@turnpike/contract';
import type { Price } from './prices.ts';

/**
 * The cost of a call, in whole millionths of a US dollar, rounded up. `cacheTtl`: of what it wrote to the cache.
 * `isFast`: whether it was written at that speed. `isBatch`: whether it was a request of a batch. `geo`: where it was written.
 */
export function costOf(
  usage: Usage,
  price: Price,
  { cacheTtl, webSearches = 0, isFast = false, isBatch = false, geo }: CostFactors = {},
): number {
  const tokens =
    usage.input_tokens * price.input +
    usage.output_tokens * price.output +
    usage.cache_creation_input_tokens * cacheWritePrice(price, cacheTtl) +
    usage.cache_read_input_tokens * price.cache_read;
  const factor = (isFast ? price.fast : 1) * (isBatch ? OF_BATCHES : 1) * geoFactor(geo);
  const cost = tokens * factor + webSearches * SEARCH_MICROS;
  return Math.ceil(round(cost));
}

export interface CostFactors {
  cacheTtl?: CacheTtl;
  webSearches?: number;
  isFast?: boolean;
  isBatch?: boolean;
  geo?: string | undefined;
}

type CacheTtl = AgentConfig['cache_ttl'];

/** Models run anywhere at the price of the table; older ones say that it is not known where. */
const UNPRICED_GEOS = new Set(['global', 'not_available']);
const IN_ONE_GEO = 1.1;

function geoFactor(geo: string | undefined): number {
  return geo === undefined || UNPRICED_GEOS.has(geo) ? 1 : IN_ONE_GEO;
}

/** The share of the price of a token that it costs in a batch. */
const OF_BATCHES = 0.5;

/** Ten dollars for a thousand searches. */
const SEARCH_MICROS = 10_000;
/** What one use of a tool of the API may add to the input: a page, or the results of a search. */
const SERVER_USE_TOKENS = 30_000;

/** What is kept for an hour costs twice the input, with every model. */
function cacheWritePrice(price: Price, ttl: CacheTtl): number {
  return ttl === '1h' ? 2 * price.input : price.cache_write;
}

/** An image is scaled down to less than this, whatever its bytes. */
const IMAGE_TOKENS = 5_000;
/** The pages of a document count as text and as images: a hundred dense ones. */
const DOCUMENT_TOKENS = 300_000;
/** What the API adds: the frame, and instructions for tools. */
const FRAME_TOKENS = 1_000;

/**
 * The most that a call can cost: a token for every byte of the request, written to the cache where that costs more,
 * and all the output that it may have.
 */
export function mostCostOf(request: ModelRequest, price: Price): CallCost {
  const { agent, messages, tools } = request;
  const instructions = tokensIn(agent.system ?? '') + tokensIn(tools) + tokensIn(agent.output_format ?? '');
  const conversation = messages
    .flatMap((message) => message.content)
    .reduce((sum, block) => sum + mostTokens(block), 0);
  const uses = tools.flatMap((tool) =>
    'type' in tool ? [{ name: tool.name, count: tool.max_uses ?? 0 }] : [],
  );
  const serverUses = uses.reduce((sum, { count }) => sum + count, 0);
  const searches = uses.reduce((sum, { name, count }) => sum + (name === 'web_search' ? count : 0), 0);
  const input = FRAME_TOKENS + instructions + conversation + serverUses * SERVER_USE_TOKENS;
  const perToken =
    input * Math.max(price.input, cacheWritePrice(price, agent.cache_ttl)) + agent.max_tokens * price.output;
  const factor =
    (agent.speed === 'fast' ? price.fast : 1) *
    (agent.service_tier === 'batch' ? OF_BATCHES : 1) *
    geoFactor(agent.inference_geo);
  const micros = perToken * factor + searches * SEARCH_MICROS;
  return { micros: Math.ceil(round(micros)), tokens: input + agent.max_tokens };
}

function mostTokens(block: ContentBlock): number {
  if (block.type === 'image') return IMAGE_TOKENS;
  const file = fileSourceOf(block);
  if (file !== null && isTextMediaType(file.media_type)) return file.bytes + tokensIn(block);
  if (block.type === 'document' && !isPlain(block)) return DOCUMENT_TOKENS;
  const content = block['content'];
  if (!Array.isArray(content)) return tokensIn(block);
  // A tool result contains blocks itself.
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

/** Removes the error of binary fractions: 0.1 x 3 is 0.3 here. */
function round(micros: number): number {
  return Math.round(micros * 1e6) / 1e6;
}
