import { ApiError, invalidRequest } from './api-error.ts';
import type { MessagesRequest } from './request-schema.ts';
import { refuseFile } from './refuse-file.ts';
import type { Script } from './script.ts';

/**
 * What the API finds out only once it reads what it was sent: blocks that it cannot read, and more than it can read
 * at once. Throws `ApiError` 400 or 413.
 */
export function refuseRequest(script: Script, request: MessagesRequest, tokens: number): void {
  const { most_tokens: most, most_bytes: mostBytes } = script;
  if (mostBytes !== undefined && Buffer.byteLength(JSON.stringify(request.messages)) > mostBytes) {
    throw new ApiError(413, 'Request exceeds the maximum size');
  }
  if (most !== undefined && tokens > most) {
    throw invalidRequest(`prompt is too long: ${tokens} tokens > ${most} maximum`);
  }
  for (const message of request.messages) {
    for (const [position, block] of message.content.entries()) {
      refuseBlock(script, block, `messages.${message.index}.content.${position}`);
    }
  }
}

function refuseBlock(script: Script, block: object, path: string): void {
  if ('type' in block && block.type === 'tool_result' && 'content' in block && Array.isArray(block.content)) {
    for (const [position, item] of block.content.entries()) {
      refuseBlock(script, item as object, `${path}.tool_result.content.${position}`);
    }
    return;
  }
  const type = 'type' in block ? String(block.type) : '';
  const refusal = refuseFile(block, path);
  if (refusal !== null) throw invalidRequest(refusal);
  const text = JSON.stringify(block);
  const rule = script.refused_blocks.find(
    ({ contains, types }) => text.includes(contains) && (types === undefined || types.includes(type)),
  );
  if (rule === undefined) return;
  throw invalidRequest(rule.named ? `${path}.${type}: ${rule.message}` : rule.message);
}
