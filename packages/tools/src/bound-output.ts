import {
  contentBlockSchema,
  inputBlockSchema,
  storableJson,
  storableText,
  type ContentBlock,
  type OutputPart,
  type ToolOutput,
} from '@turnpike/contract';
import { z } from 'zod';

export interface OutputLimits {
  /** UTF-16 units of all text together. */
  maxTextCharacters: number;
  /** Of all images and documents together, as JSON. */
  maxMediaCharacters: number;
}

const mediaBlockSchema = z.looseObject({
  type: z.enum(['image', 'document']),
  source: z.looseObject({ type: z.string() }),
});
const textBlockSchema = z.object({ type: z.literal('text'), text: z.string() });

const outputSchema = z.object({
  content: z.array(z.discriminatedUnion('type', [textBlockSchema, mediaBlockSchema])).max(100),
  isError: z.boolean(),
});

/**
 * A tool's output as the model may see it, or null where it is invalid. Text and media are limited in total, and a
 * visible note says what was truncated. The result is one that the Messages API accepts: no blank text block, no image
 * or document that it refuses, and in an error some text and nothing else. What was truncated or left out is in
 * `overflow` as a whole.
 */
export function boundOutput(output: unknown, limits: OutputLimits): ToolOutput | null {
  const parsed = outputSchema.safeParse(output);
  if (!parsed.success) return null;
  const { isError } = parsed.data;
  const total = { text: 0, keptText: 0, keptMedia: 0 };
  const content: ContentBlock[] = [];
  const overflow: OutputPart[] = [];
  for (const block of parsed.data.content) {
    if (block.type === 'text') {
      const kept = truncateText(block.text, limits.maxTextCharacters - total.keptText);
      total.text += block.text.length;
      total.keptText += kept.length;
      if (kept.trim() !== '') content.push(textBlock(kept));
      continue;
    }
    const json = JSON.stringify(block);
    const refusal = mediaRefusal(block);
    const fits = total.keptMedia + json.length <= limits.maxMediaCharacters;
    if (isError || refusal !== null || !fits) overflow.push(...partsOf(block));
    if (isError) {
      content.push(textBlock(`[left out: ${block.type}, since an error can hold only text]`));
    } else if (refusal !== null) {
      content.push(textBlock(`[left out: ${block.type}, since ${refusal}]`));
    } else if (fits) {
      total.keptMedia += json.length;
      content.push(contentBlockSchema.parse(storableJson(block)));
    } else {
      content.push(textBlock(`[left out: ${block.type} of ${counted(json.length)} characters, too large]`));
    }
  }
  if (total.text > total.keptText) {
    content.push(textBlock(`[truncated: ${counted(total.keptText)} of ${counted(total.text)} characters]`));
    const texts = parsed.data.content.flatMap((block) => (block.type === 'text' ? [block.text] : []));
    overflow.push({ encoding: 'text', mediaType: 'text/plain', data: storableText(texts.join('\n')) });
  }
  if (isError && content.length === 0) content.push(textBlock('The tool failed without a message.'));
  return { content, isError, ...(overflow.length === 0 ? {} : { overflow }) };
}

/** The beginning of a text, at most `limit` UTF-16 units and of whole characters. */
function truncateText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return text.slice(0, limit).replace(/[\uD800-\uDBFF]$/, '');
}

function textBlock(text: string): ContentBlock {
  return { type: 'text', text: storableText(text) };
}

const base64Schema = z.object({
  type: z.literal('base64'),
  media_type: z.string().max(100),
  data: z.base64(),
});

/** The data of a block, where it has any. */
function partsOf({ source }: z.infer<typeof mediaBlockSchema>): OutputPart[] {
  const { data } = base64Schema.safeParse(source);
  return data === undefined ? [] : [{ encoding: 'base64', mediaType: data.media_type, data: data.data }];
}

/** Why the API would refuse an image or a document; null where it would accept it. */
function mediaRefusal(block: z.infer<typeof mediaBlockSchema>): string | null {
  // Which files there are, only the service knows.
  if (block.source.type === 'file') return 'a tool cannot name a file';
  const issue = inputBlockSchema.safeParse(block).error?.issues[0];
  return issue === undefined ? null : `${issue.path.join('.')}: ${issue.message}`.slice(0, 300);
}

function counted(characters: number): string {
  return characters.toLocaleString('en-US');
}
