import { inputBlocksSchema, type inputBlockSchema } from '@turnpike/contract';
import { refused } from '@turnpike/dialect-base';
import { z } from 'zod';
import type { GivenPart } from './chat-request.ts';

type InputBlock = z.input<typeof inputBlockSchema>;

const PDF = 'application/pdf';
/** What a file that was uploaded is named by. */
const PROVIDER = 'turnpike';

const none = z.null('is not supported: the model would not see it').optional();
const textPart = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  state: z.enum(['streaming', 'done']).optional(),
  providerMetadata: none,
});
const filePart = z.strictObject({
  type: z.literal('file'),
  mediaType: z.string().max(200),
  url: z.string().optional(),
  filename: z.string().nullish(),
  providerReference: z
    .strictObject({ [PROVIDER]: z.string() }, `must name a file of \`${PROVIDER}\``)
    .optional(),
  providerMetadata: none,
});
const partSchema = z.discriminatedUnion(
  'type',
  [textPart, filePart],
  'cannot be a part of a message of a user: text and files can',
);
type FilePart = z.output<typeof filePart>;

/** The parts of a user's message as blocks for the model. Throws `invalid_request` for a part that cannot be one. */
export function toBlocks(parts: readonly GivenPart[], path: string): z.output<typeof inputBlocksSchema> {
  const blocks = parts.map((part, index) => toBlock(part, `${path}.${index}`));
  if (blocks.length === 0) throw refused(path, 'must have text or a file');
  const parsed = inputBlocksSchema.safeParse(blocks);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const [index = 0] = issue?.path ?? [];
  throw refused(`${path}.${String(index)}`, issue?.message ?? 'is not valid');
}

function toBlock(given: GivenPart, path: string): InputBlock {
  const parsed = partSchema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refused([path, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'is not valid');
  }
  const part = parsed.data;
  return part.type === 'text' ? { type: 'text', text: part.text } : toFileBlock(part, path);
}

function toFileBlock(
  { mediaType, url = '', filename, providerReference }: FilePart,
  path: string,
): InputBlock {
  const title = filename == null || filename === '' ? {} : { title: filename.slice(0, 500) };
  const fileId = providerReference?.[PROVIDER];
  const isImage = /^image(\/|$)/i.test(mediaType);
  if (fileId !== undefined) {
    const source = { type: 'file' as const, file_id: fileId };
    return isImage ? { type: 'image', source } : { type: 'document', source, ...title };
  }
  const data = readDataUrl(url);
  if (data === null) {
    const source = { type: 'url' as const, url };
    if (isImage) return { type: 'image', source };
    if (mediaType.toLowerCase() === PDF) return { type: 'document', source, ...title };
    throw refused(`${path}.mediaType`, `${mediaType} is not taken from a URL: images and ${PDF} are`);
  }
  if (data.mediaType.startsWith('image/'))
    // Which images there are is checked with the block.
    return {
      type: 'image',
      source: { type: 'base64', media_type: data.mediaType, data: data.bytes.toString('base64') },
    } as InputBlock;
  if (data.mediaType === PDF)
    return {
      type: 'document',
      source: { type: 'base64', media_type: PDF, data: data.bytes.toString('base64') },
      ...title,
    };
  if (data.mediaType.startsWith('text/') || /^application\/([\w.-]+\+)?json$/.test(data.mediaType))
    return {
      type: 'document',
      source: { type: 'text', media_type: 'text/plain', data: data.bytes.toString() },
      ...title,
    };
  throw refused(`${path}.mediaType`, `${data.mediaType} is not taken: images, ${PDF} and text are`);
}

const DATA_URL = /^data:([^,;]*)((?:;[^,;]*)*),/i;

function readDataUrl(url: string): { mediaType: string; bytes: Buffer } | null {
  const [head, mediaType = '', parameters = ''] = DATA_URL.exec(url.slice(0, 1_000)) ?? [];
  if (head === undefined) return null;
  const isBase64 = /;\s*base64$/i.test(parameters);
  const text = url.slice(head.length);
  return {
    mediaType: mediaType === '' ? 'text/plain' : mediaType.toLowerCase(),
    bytes: isBase64 ? Buffer.from(text, 'base64') : Buffer.from(decoded(text)),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
