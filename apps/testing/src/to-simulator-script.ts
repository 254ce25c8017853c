import type { ScriptInput } from '@turnpike/model-sim';
import { say, type ReplyPart, type ScriptedReply } from './script.ts';

/** The script of the simulator: one rule for each reply, and a refusal of what comes after them. */
export function toScript(replies: readonly ScriptedReply[]): ScriptInput {
  const rules = replies.map((reply, step) => ({ match: { step }, reply: toReply(reply) }));
  const count = replies.length === 1 ? 'has one reply' : `has ${replies.length} replies`;
  const message = `The script ${count}, and the model was called once more.`;
  const end = { type: 'status' as const, status: 400, error_type: 'invalid_request_error', message };
  return { rules: [...rules, { fault: end }] };
}

function toReply(reply: ScriptedReply): {
  text?: string;
  tool_uses?: { name: string; input: Record<string, unknown> }[];
} {
  const parts = (Array.isArray(reply) ? reply : [reply]).map((part: string | ReplyPart) =>
    typeof part === 'string' ? say(part) : part,
  );
  const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  const calls = parts.flatMap((part) =>
    part.type === 'call' ? [{ name: part.name, input: part.input as Record<string, unknown> }] : [],
  );
  return { ...(text === '' ? {} : { text }), ...(calls.length === 0 ? {} : { tool_uses: calls }) };
}
