import { z } from 'zod';
import { idSchema } from './ids.ts';
import {
  IMAGE_MEDIA_TYPES,
  MANY_IMAGES,
  MAX_IMAGE_CHARACTERS,
  MAX_IMAGE_SIDE,
  MAX_IMAGES,
  MAX_SIDE_OF_MANY,
  readFileHeader,
  type FileHeader,
} from './messages-api/media.ts';

/**
 * A content block of the Messages API, stored unchanged: an unknown block type, or a thinking block
 * with its signature, must survive storage.
 */
export const contentBlockSchema = z
  .looseObject({ type: z.string() })
  .meta({ id: 'ContentBlock', description: 'A content block of the Anthropic Messages API.' });
export type ContentBlock = z.infer<typeof contentBlockSchema>;

export const textBlockSchema = z.looseObject({ type: z.literal('text'), text: z.string() });
export type TextBlock = z.infer<typeof textBlockSchema>;

/** A tool call, possibly malformed: a model or a gateway may omit any field, or give it an unexpected value. */
export interface ToolUseBlock extends ContentBlock {
  type: 'tool_use';
}

export function isToolUse(block: ContentBlock): block is ToolUseBlock {
  return block.type === 'tool_use';
}

export function isText(block: ContentBlock): block is TextBlock {
  return textBlockSchema.safeParse(block).success;
}

/** The text of these blocks, concatenated without a separator. */
export function textOf(content: readonly ContentBlock[]): string {
  return content
    .filter(isText)
    .map((block) => block.text)
    .join('');
}

/** One message of a conversation. */
export interface Message {
  role: 'user' | 'assistant';
  content: ContentBlock[];
}

const base64Data = z.base64().min(1, 'must not be empty');
const urlSource = z.strictObject({ type: z.literal('url'), url: z.url({ protocol: /^https?$/ }) });

const namedFile = z
  .strictObject({ type: z.literal('file'), file_id: idSchema('file') })
  .meta({ description: 'A file of `/v1/files` that is ready.' });

const imageSource = z
  .strictObject({
    type: z.literal('base64'),
    media_type: z.enum(IMAGE_MEDIA_TYPES),
    data: base64Data.max(
      MAX_IMAGE_CHARACTERS,
      `must have at most ${MAX_IMAGE_CHARACTERS} characters, the model's limit for one image`,
    ),
  })
  .superRefine(({ media_type: declared, data }, context) => {
    const header = readFileHeader(data);
    checkMediaType(declared, header, context);
    if (header?.size != null) checkSide(header.size, MAX_IMAGE_SIDE, '', ['data'], context);
  });

const pdfSource = z
  .strictObject({ type: z.literal('base64'), media_type: z.literal('application/pdf'), data: base64Data })
  .superRefine(({ media_type: declared, data }, context) => {
    checkMediaType(declared, readFileHeader(data), context);
  });

/** A file that is not recognised passes: the model rejects it if it is broken. */
function checkMediaType(declared: string, header: FileHeader | null, context: z.RefinementCtx): void {
  if (header === null || header.mediaType === declared) return;
  const message = `is ${declared}, but the data is ${header.mediaType}`;
  context.addIssue({ code: 'custom', path: ['media_type'], message });
}

function checkSide(
  { width, height }: { width: number; height: number },
  max: number,
  condition: string,
  path: PropertyKey[],
  context: z.RefinementCtx,
): void {
  if (width <= max && height <= max) return;
  const message = `is an image of ${width} x ${height} pixels: the model accepts at most ${max} x ${max}${condition}`;
  context.addIssue({ code: 'custom', path, message });
}

/** The Messages API rejects text that is only white space. */
const nonBlankText = z.string().regex(/\S/, 'must contain more than white space');

/** The blocks that a client may submit. Only the service writes tool blocks. */
export const inputBlockSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: nonBlankText }),
  z.strictObject({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [imageSource, urlSource, namedFile]),
  }),
  z.strictObject({
    type: z.literal('document'),
    source: z.discriminatedUnion('type', [
      pdfSource,
      urlSource,
      namedFile,
      z.strictObject({
        type: z.literal('text'),
        media_type: z.literal('text/plain'),
        data: z.string().min(1),
      }),
    ]),
    title: z.string().min(1).max(500).optional(),
    context: z
      .string()
      .min(1)
      .max(10_000)
      .optional()
      .meta({ description: 'About the document; never cited.' }),
    citations: z
      .strictObject({ enabled: z.boolean() })
      .optional()
      .meta({ description: 'Whether the model cites the document.' }),
  }),
]);

/** Blocks that are sent to the model in one message. */
export const inputBlocksSchema = z
  .array(inputBlockSchema)
  .max(MAX_IMAGES)
  .superRefine((blocks, context) => {
    const images = blocks.map((block) => (block.type === 'image' ? block.source : null));
    if (images.filter((source) => source !== null).length <= MANY_IMAGES) return;
    for (const [index, source] of images.entries()) {
      const size = source?.type === 'base64' ? readFileHeader(source.data)?.size : null;
      const condition = ` if there are more than ${MANY_IMAGES} images`;
      if (size != null) checkSide(size, MAX_SIDE_OF_MANY, condition, [index, 'source', 'data'], context);
    }
  });

/** A turn's input: plain text, or content blocks. */
export const turnInputSchema = z
  .union([nonBlankText, inputBlocksSchema.min(1)])
  .meta({ description: 'Plain text, or content blocks.', example: 'What time is it in Lisbon?' });
export type TurnInput = z.infer<typeof turnInputSchema>;

/** The input as content blocks, the only form that is stored. */
export function inputBlocks(input: TurnInput): ContentBlock[] {
  return typeof input === 'string' ? [{ type: 'text', text: input }] : input;
}
