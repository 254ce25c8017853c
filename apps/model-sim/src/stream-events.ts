import { emptyBlock, emptyMessage, finalUsage, stopDetails } from './message-json.ts';
import type { MessagePlan, PlannedBlock } from './plan-message.ts';

/** One server-sent event as it goes out, and the tokens that it stands for. */
export interface StreamEvent {
  frame: string;
  tokens: number;
}

/** The events of a response in the real API's order. Made one by one, as they are sent. */
export function* streamEvents(plan: MessagePlan, stamp: boolean): Generator<StreamEvent, void> {
  yield event('message_start', { message: emptyMessage(plan) });
  yield event('ping', {});
  for (const [index, block] of plan.blocks.entries()) {
    yield event('content_block_start', { index, content_block: emptyBlock(block) });
    yield* deltas(block, index, stamp);
    yield event('content_block_stop', { index });
  }
  yield event('message_delta', {
    delta: {
      container: plan.container,
      stop_details: stopDetails(plan),
      stop_reason: plan.stopReason,
      stop_sequence: plan.stopSequence,
    },
    usage: finalUsage(plan),
  });
  yield event('message_stop', {});
}

/** An error that comes after the head said 200. */
export function errorEvent(type: string, message: string, requestId: string): string {
  return event('error', { error: { type, message }, request_id: requestId }).frame;
}

/** The same event with its data broken off half-way: no JSON any more, but a whole event. */
export function malformed(frame: string): string {
  const data = frame.indexOf('data: ') + 'data: '.length;
  return `${frame.slice(0, data + Math.floor((frame.length - data) / 2)).trimEnd()}\n\n`;
}

function event(type: string, fields: object): StreamEvent {
  return { frame: `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`, tokens: 0 };
}

const DELTAS = {
  thinking: { type: 'thinking_delta', field: 'thinking' },
  text: { type: 'text_delta', field: 'text' },
  tool_use: { type: 'input_json_delta', field: 'partial_json' },
  server_tool_use: { type: 'input_json_delta', field: 'partial_json' },
} as const;

function* deltas(block: PlannedBlock, index: number, stamp: boolean): Generator<StreamEvent, void> {
  if (block.type === 'server_result') return;
  // Everything but the text is the same in each delta, so it is written once.
  const { type, field } = DELTAS[block.type];
  const head = `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":"${type}","${field}":`;
  if (block.type === 'tool_use' && block.input !== null) yield { frame: `${head}""}}\n\n`, tokens: 0 };
  for (const piece of block.pieces) {
    const frameOf = (text: string): string => `${head}${JSON.stringify(text)}}}\n\n`;
    if (!stamp || block.type !== 'text') yield { frame: frameOf(piece.text), tokens: piece.tokens };
    else yield stamped((time) => frameOf(`<t=${time}>${piece.text}`), piece.tokens);
  }
  if (block.type === 'thinking') {
    yield event('content_block_delta', {
      index,
      delta: { type: 'signature_delta', signature: block.signature },
    });
  }
}

/** The event is made before it is due: it is stamped when it is taken to be sent. */
function stamped(frameAt: (time: string) => string, tokens: number): StreamEvent {
  return {
    get frame() {
      return frameAt(monotonicMs());
    },
    tokens,
  };
}

/** Milliseconds of the machine's monotonic clock, the same in every process. */
function monotonicMs(): string {
  return (Number(process.hrtime.bigint() / 1000n) / 1000).toFixed(3);
}
