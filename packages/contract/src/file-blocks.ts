import { z } from 'zod';
import type { ContentBlock } from './content.ts';
import type { ValidationIssue } from './errors.ts';
import { fileMediaTypeSchema, isTextMediaType, type File } from './files.ts';
import {
  IMAGE_MEDIA_TYPES,
  MANY_IMAGES,
  MAX_IMAGE_CHARACTERS,
  MAX_IMAGE_SIDE,
  MAX_MEDIA_CHARACTERS,
  MAX_SIDE_OF_MANY,
} from './messages-api/media.ts';

/**
 * The source of a stored image or document that is a file: which one, and what of it decides how it is sent. The bytes
 * are read when the model is called. A file never changes, so what is kept here stays true.
 */
export const fileSourceSchema = z.object({
  type: z.literal('file'),
  file_id: z.string(),
  media_type: fileMediaTypeSchema,
  bytes: z.int(),
  width: z.int().optional(),
  height: z.int().optional(),
});
export type FileSource = z.infer<typeof fileSourceSchema>;

/** The file that a stored block is made of; null for any other block. */
export function fileSourceOf({ type, source }: ContentBlock): FileSource | null {
  if (type !== 'image' && type !== 'document') return null;
  return fileSourceSchema.safeParse(source).data ?? null;
}

export function sourceOfFile({ id, media_type, bytes, width, height }: File): FileSource {
  const size = width === null || height === null ? {} : { width, height };
  return { type: 'file', file_id: id, media_type, bytes, ...size };
}

/** How many characters a file has in a request: base64, or text. */
export function sentCharacters({ media_type: mediaType, bytes }: FileSource): number {
  return isTextMediaType(mediaType) ? bytes : base64Length(bytes);
}

/** Characters of base64 of so many bytes. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

const namedFileSchema = z.object({ type: z.literal('file'), file_id: z.string() });

/** The ids of the files that blocks of a client name, each once. */
export function fileIdsIn(blocks: readonly ContentBlock[]): string[] {
  const ids = blocks.flatMap(({ source }) => namedFileSchema.safeParse(source).data?.file_id ?? []);
  return [...new Set(ids)];
}

/** Blocks as they are stored, with what is known of their files. Those whose file is not in `files` stay as they are. */
export function withFileSources(
  blocks: readonly ContentBlock[],
  files: ReadonlyMap<string, File>,
): ContentBlock[] {
  return blocks.map((block) => {
    const file = files.get(namedFileSchema.safeParse(block['source']).data?.file_id ?? '');
    return file === undefined ? block : { ...block, source: sourceOfFile(file) };
  });
}

/** What the Messages API would refuse of the files that a message names. `path` is that of the message's blocks. */
export function findUnfitFiles(
  blocks: readonly ContentBlock[],
  files: ReadonlyMap<string, File>,
  path: string,
): ValidationIssue[] {
  const images = blocks.filter(({ type }) => type === 'image').length;
  const side = images > MANY_IMAGES ? MAX_SIDE_OF_MANY : MAX_IMAGE_SIDE;
  return blocks.flatMap(({ type, source }, index) => {
    const file = files.get(namedFileSchema.safeParse(source).data?.file_id ?? '');
    const message = file === undefined ? null : unfitReason(type, sourceOfFile(file), side);
    return message === null ? [] : [{ path: `${path}.${index}.source.file_id`, message }];
  });
}

function unfitReason(type: string, source: FileSource, maxSide: number): string | null {
  const { media_type: mediaType, width = 0, height = 0 } = source;
  if (!fitsBlock(type, mediaType)) return `is ${mediaType}, which no ${type} can be`;
  const most = type === 'image' ? MAX_IMAGE_CHARACTERS : MAX_MEDIA_CHARACTERS;
  if (sentCharacters(source) > most)
    return `has ${sentCharacters(source)} characters as it is sent, and may have ${most}`;
  if (width <= maxSide && height <= maxSide) return null;
  return `is an image of ${width} x ${height} pixels: the model accepts at most ${maxSide} x ${maxSide}`;
}

/** Whether the Messages API takes a file of this type as such a block. */
export function fitsBlock(type: string, mediaType: string): boolean {
  if (type === 'image') return IMAGE_MEDIA_TYPES.some((known) => known === mediaType);
  return type === 'document' && (mediaType === 'application/pdf' || isTextMediaType(mediaType));
}
