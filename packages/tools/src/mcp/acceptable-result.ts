import { isCallToolResult, isSpecType } from '@modelcontextprotocol/client';
import { z } from 'zod';

const typeSchema = z.object({ type: z.string().max(100) });

/**
 * The result of a call with what the client knows of it. A server has acted by then: that the model sees a part of its
 * result is better than that it learns nothing. A result that is fine, or is none of a call, is returned as it is.
 */
export function acceptableResult(result: Record<string, unknown>): Record<string, unknown> {
  if (isOfAnotherKind(result) || isFine(result)) return result;
  const { content, structuredContent, isError, _meta, ...rest } = result;
  const blocks = Array.isArray(content) ? content.map(asBlock) : [];
  const isObject = isSpecType.JSONObject(structuredContent);
  if (structuredContent !== undefined && structuredContent !== null && !isObject)
    blocks.push({ type: 'text', text: JSON.stringify(structuredContent) });
  return {
    ...rest,
    content: blocks,
    isError: isError === true,
    ...(isObject ? { structuredContent } : {}),
  };
}

/** Such as a task that cannot be asked for: that its call has no content is not so. */
function isOfAnotherKind(result: Record<string, unknown>): boolean {
  const { resultType = 'complete' } = result;
  return resultType !== 'complete' || 'task' in result;
}

function isFine(result: Record<string, unknown>): boolean {
  const { structuredContent } = result;
  const isObject = structuredContent === undefined || isSpecType.JSONObject(structuredContent);
  return isObject && isCallToolResult(result);
}

function asBlock(given: unknown): unknown {
  if (isSpecType.ContentBlock(given)) return given;
  const type = typeSchema.safeParse(given).data?.type ?? 'content';
  return { type: 'text', text: `[left out: ${type} that is not as the protocol wants it]` };
}
