import { z } from 'zod';

/**
 * A content block of the Messages API, kept as it came: a block type that we do not know
 * yet (or a thinking block with its signature) must survive storage unchanged.
 */
export const contentBlockSchema = z
  .looseObject({ type: z.string() })
  .meta({ id: 'ContentBlock', description: 'A content block of the Anthropic Messages API.' });
export type ContentBlock = z.infer<typeof contentBlockSchema>;

export const textBlockSchema = z.looseObject({ type: z.literal('text'), text: z.string() });
export type TextBlock = z.infer<typeof textBlockSchema>;

export const toolUseBlockSchema = z.looseObject({
  type: z.literal('tool_use'),
  id: z.string().min(1),
  name: z.string().min(1),
  input: z.unknown(),
});
export type ToolUseBlock = z.infer<typeof toolUseBlockSchema>;

export function isToolUse(block: ContentBlock): block is ToolUseBlock {
  return toolUseBlockSchema.safeParse(block).success;
}

export function isText(block: ContentBlock): block is TextBlock {
  return textBlockSchema.safeParse(block).success;
}

/** All text of these blocks, joined without anything between: what a person would read. */
export function textOf(content: readonly ContentBlock[]): string {
  return content
    .filter(isText)
    .map((block) => block.text)
    .join('');
}

/** One message of a conversation, as stored. */
export interface Message {
  role: 'user' | 'assistant';
  content: ContentBlock[];
}

const base64Source = z.strictObject({
  type: z.literal('base64'),
  media_type: z.string().min(1).max(127),
  data: z.base64(),
});
const urlSource = z.strictObject({ type: z.literal('url'), url: z.url({ protocol: /^https?$/ }) });

/** The model must be told something: white space alone is refused by the Messages API. */
const spokenText = z.string().regex(/\S/, 'must hold more than white space');

/** What a client may put into a turn. Tool blocks are the service's to write. */
export const inputBlockSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: spokenText }),
  z.strictObject({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [base64Source, urlSource]),
  }),
  z.strictObject({
    type: z.literal('document'),
    source: z.discriminatedUnion('type', [
      base64Source,
      urlSource,
      z.strictObject({
        type: z.literal('text'),
        media_type: z.literal('text/plain'),
        data: z.string().min(1),
      }),
    ]),
    title: z.string().max(500).optional(),
  }),
]);

/** A turn's input: plain text, or content blocks. */
export const turnInputSchema = z
  .union([spokenText, z.array(inputBlockSchema).min(1).max(100)])
  .meta({ description: 'Plain text, or content blocks.', example: 'What time is it in Lisbon?' });
export type TurnInput = z.infer<typeof turnInputSchema>;

/** The input as content blocks, the only form that is stored. */
export function inputBlocks(input: TurnInput): ContentBlock[] {
  return typeof input === 'string' ? [{ type: 'text', text: input }] : input;
}
