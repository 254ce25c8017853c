import type { MessagePlan, PlannedBlock } from './plan-message.ts';

/** The response as the body of a request without `stream`. */
export function messageJson(plan: MessagePlan) {
  return {
    ...emptyMessage(plan),
    content: plan.blocks.map(blockJson),
    container: plan.container,
    stop_details: stopDetails(plan),
    stop_reason: plan.stopReason,
    stop_sequence: plan.stopSequence,
    usage: startUsage(plan, plan.usage.outputTokens),
  };
}

/** The message as `message_start` has it: no content and no stop reason yet. */
export function emptyMessage(plan: MessagePlan) {
  return {
    id: plan.id,
    type: 'message',
    role: 'assistant',
    model: plan.model,
    content: [],
    container: null,
    diagnostics: null,
    stop_details: null,
    stop_reason: null,
    stop_sequence: null,
    usage: startUsage(plan, 1),
  };
}

/** A block as `content_block_start` has it. */
export function emptyBlock(block: PlannedBlock) {
  if (block.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' };
  if (block.type === 'text') return { type: 'text', text: '', citations: null };
  if (block.type === 'server_result') return block.block;
  const { type, id, name } = block;
  return {
    type,
    id,
    name,
    ...(block.input === null ? {} : { input: {} }),
    caller: { type: 'direct' },
  };
}

/** Why the response stopped, in more words; there are some for a refusal only. */
export function stopDetails(plan: MessagePlan) {
  if (plan.stopReason !== 'refusal') return null;
  return { type: 'refusal', category: null, explanation: 'A simulated refusal.' };
}

/** Usage as `message_delta` has it: totals of the whole message. */
export function finalUsage(plan: MessagePlan) {
  const { usage } = plan;
  return {
    input_tokens: usage.inputTokens,
    cache_creation_input_tokens: usage.cacheCreation,
    cache_read_input_tokens: usage.cacheRead,
    output_tokens: usage.outputTokens,
    output_tokens_details: { thinking_tokens: usage.thinkingTokens },
    server_tool_use:
      usage.webSearches + usage.webFetches === 0
        ? null
        : { web_search_requests: usage.webSearches, web_fetch_requests: usage.webFetches },
  };
}

function startUsage(plan: MessagePlan, outputTokens: number) {
  const { usage } = plan;
  const created1h = Math.min(usage.cacheCreation1h, usage.cacheCreation);
  return {
    ...finalUsage(plan),
    output_tokens: outputTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheCreation - created1h,
      ephemeral_1h_input_tokens: created1h,
    },
    inference_geo: null,
    service_tier: 'standard',
    speed: usage.speed,
  };
}

function blockJson(block: PlannedBlock) {
  if (block.type === 'server_result') return block.block;
  const text = block.pieces.map((piece) => piece.text).join('');
  if (block.type === 'thinking') return { ...emptyBlock(block), thinking: text, signature: block.signature };
  if (block.type === 'text') return { ...emptyBlock(block), text };
  return { ...emptyBlock(block), ...(block.input === null ? {} : { input: block.input }) };
}
