import { contentBlockSchema } from '@turnpike/contract';
import { z } from 'zod';

/** Far above what any model accepts. A gateway that reports more is wrong, and its number may fit into no column. */
const MAX_TOKENS = 10_000_000;
const tokens = z.int().nonnegative().max(MAX_TOKENS).nullish();

/** Token counts of the Messages API: a count that does not apply is null or left out. */
const usageSchema = z.looseObject({
  input_tokens: tokens,
  output_tokens: tokens,
  cache_creation_input_tokens: tokens,
  cache_read_input_tokens: tokens,
  server_tool_use: z.looseObject({ web_search_requests: tokens }).nullish(),
  speed: z.string().nullish(),
  inference_geo: z.string().nullish(),
});
export type StreamUsage = z.infer<typeof usageSchema>;

const containerSchema = z.looseObject({ id: z.string().min(1).max(200) }).nullish();

const index = z.int().nonnegative();

/** The stream events that make a message (Messages API, "Streaming"). */
const knownEventSchema = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('message_start'),
    message: z.looseObject({ model: z.string(), usage: usageSchema, container: containerSchema }),
  }),
  z.looseObject({ type: z.literal('content_block_start'), index, content_block: contentBlockSchema }),
  z.looseObject({
    type: z.literal('content_block_delta'),
    index,
    delta: z.looseObject({ type: z.string() }),
  }),
  z.looseObject({ type: z.literal('content_block_stop'), index }),
  z.looseObject({
    type: z.literal('message_delta'),
    delta: z.looseObject({ stop_reason: z.string().nullish(), container: containerSchema }),
    usage: usageSchema.nullish(),
  }),
  z.looseObject({ type: z.literal('message_stop') }),
]);
export type StreamEvent = z.infer<typeof knownEventSchema>;

const KNOWN_TYPES: ReadonlySet<string> = new Set(
  knownEventSchema.options.map((option) => option.shape.type.value),
);

/** Made once: a response has hundreds of events, and to make a schema costs more than to use it. */
const eventSchema = z.looseObject({ type: z.string() });

/**
 * The event; null for one of an unknown type, since the API may add some at any time.
 * Throws a ZodError for an event without the fields of its type.
 */
export function parseStreamEvent(event: unknown): StreamEvent | null {
  if (isDelta(event)) return event;
  const { type } = eventSchema.parse(event);
  return KNOWN_TYPES.has(type) ? knownEventSchema.parse(event) : null;
}

/** As its schema has it: nearly all events are deltas, and this is a hundred times as fast. */
function isDelta(event: unknown): event is Extract<StreamEvent, { type: 'content_block_delta' }> {
  if (typeof event !== 'object' || event === null) return false;
  const { type, index: at, delta } = event as { type?: unknown; index?: unknown; delta?: unknown };
  if (type !== 'content_block_delta' || !Number.isSafeInteger(at) || (at as number) < 0) return false;
  if (typeof delta !== 'object' || delta === null || Array.isArray(delta)) return false;
  return typeof (delta as { type?: unknown }).type === 'string';
}
