import { contentBlockSchema, type ContentBlock, type ToolOutput } from '@turnpike/contract';
import { z } from 'zod';
import { textOutput } from './tool.ts';

/** What a `tool_result` may hold. */
const ALLOWED = new Set(['text', 'image', 'document', 'search_result']);

const outputSchema = z.object({
  content: z.array(contentBlockSchema.refine((block) => ALLOWED.has(block.type))).max(100),
  isError: z.boolean(),
});

/**
 * A tool's output as the model may see it: checked, its text well-formed and at most `limit`
 * characters in all. What was cut says so.
 */
export function boundOutput(output: unknown, limit: number): ToolOutput {
  const parsed = outputSchema.safeParse(output);
  if (!parsed.success) return textOutput('The tool gave an answer that cannot be shown.', true);
  let left = limit;
  const content = parsed.data.content.map((block): ContentBlock => {
    if (block.type !== 'text' || typeof block['text'] !== 'string') return block;
    const text = block['text'].replaceAll('\0', '\uFFFD').toWellFormed();
    const kept = text.slice(0, left).toWellFormed();
    left -= kept.length;
    if (kept.length === text.length) return { ...block, text };
    return { ...block, text: `${kept}\n[cut: ${kept.length} of ${text.length} characters]` };
  });
  return { content, isError: parsed.data.isError };
}
