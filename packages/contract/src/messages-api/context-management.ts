import { z } from 'zod';

/** The beta that `context_management` needs. */
export const CONTEXT_MANAGEMENT_BETA = 'context-management-2025-06-27';

const count = z.int().min(1).max(1_000_000);
const tokens = z.strictObject({ type: z.literal('input_tokens'), value: z.int().min(1).max(2_000_000) });
const uses = z.strictObject({ type: z.literal('tool_uses'), value: count });
const toolName = z.string().min(1).max(128);

const clearThinking = z.strictObject({
  type: z.literal('clear_thinking_20251015'),
  keep: z
    .union([
      z.strictObject({ type: z.literal('thinking_turns'), value: count }),
      z.strictObject({ type: z.literal('all') }),
      z.literal('all'),
    ])
    .optional(),
});

const clearToolUses = z.strictObject({
  type: z.literal('clear_tool_uses_20250919'),
  trigger: z.union([tokens, uses]).optional(),
  keep: z.strictObject({ type: z.literal('tool_uses'), value: z.int().min(0).max(1_000_000) }).optional(),
  clear_at_least: tokens.optional(),
  exclude_tools: z.array(toolName).max(128).optional(),
  clear_tool_inputs: z.union([z.boolean(), z.array(toolName).max(128)]).optional(),
});

/** Without the API's own compaction: its result would have to stand in for messages that Turnpike keeps. */
export const contextManagementSchema = z
  .strictObject({
    edits: z
      .array(z.discriminatedUnion('type', [clearThinking, clearToolUses]))
      .min(1)
      .max(2)
      .refine(
        (edits) => edits.findIndex(({ type }) => type === 'clear_thinking_20251015') <= 0,
        'clear_thinking_20251015 must be the first',
      ),
  })
  .meta({
    id: 'ContextManagement',
    description: 'What the model API leaves out of a long conversation. The session keeps all of it.',
  });
