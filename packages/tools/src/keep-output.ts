import {
  asFilename,
  fileMediaTypeSchema,
  isTextMediaType,
  OTHER_MEDIA_TYPE,
  readFileStart,
  sourceOfFile,
  type ContentBlock,
  type File,
  type FileMediaType,
  type OutputPart,
  type ToolCall,
  type ToolCallContext,
  type ToolOutput,
} from '@turnpike/contract';
import { z } from 'zod';
import { describeFailure } from './describe-failure.ts';

/** A part of an output that becomes a file. */
export interface OutputFile {
  filename: string;
  mediaType: FileMediaType;
  content: Buffer;
}

/** Where parts of outputs that are too large for the model, or for the journal, are kept. */
export interface OutputFiles {
  /** Stores a file of the turn. Throws where it cannot, as when the tenant has no room for more. */
  add(context: ToolCallContext, file: OutputFile): Promise<File>;
}

/** Images and documents of more characters are files, so that the journal does not hold them. */
const MOST_INLINE_CHARACTERS = 32 * 1024;
/** A part that is larger is not kept. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Of one output. */
const MOST_FILES = 20;

/**
 * The output with files in place of what it has too much of: an image that the model can be shown stays one, whose data
 * is a file; of what it cannot be shown, it is told the file. Where a file cannot be stored, the output stays as it was.
 */
export async function keepOutput(
  { content, isError, overflow = [] }: ToolOutput,
  call: ToolCall,
  context: ToolCallContext,
  files: OutputFiles | null,
): Promise<ToolOutput> {
  if (files === null) return { content, isError };
  let count = 0;
  const add = async (part: OutputPart): Promise<File | null> => {
    count += 1;
    const bytes = part.encoding === 'base64' ? Buffer.from(part.data, 'base64') : Buffer.from(part.data);
    if (count > MOST_FILES || bytes.length === 0 || bytes.length > MOST_BYTES) return null;
    const mediaType = part.encoding === 'text' ? 'text/plain' : typeOf(bytes);
    const made = `${call.name.replaceAll(/[^\w-]/g, '_').slice(0, 64) || 'output'}-${count}${ENDINGS[mediaType] ?? ''}`;
    const filename = asFilename(part.filename ?? '') ?? made;
    try {
      return await files.add(context, { filename, mediaType, content: bytes });
    } catch (error) {
      context.signal.throwIfAborted();
      context.logger.warn('An output of a tool could not be kept as a file.', describeFailure(error));
      return null;
    }
  };
  const kept: ContentBlock[] = [];
  for (const block of content) {
    const part = inlinePart(block);
    const file = part === null ? null : await add(part);
    kept.push(file === null ? block : { ...block, source: sourceOfFile(file) });
  }
  for (const part of overflow) {
    const file = await add(part);
    if (file !== null) kept.push({ type: 'text', text: describe(file, part) });
  }
  return { content: kept, isError };
}

const mediaSchema = z.object({
  type: z.enum(['image', 'document']),
  source: z.object({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
});

/** The data of an image or a document that is large; null for any other block. */
function inlinePart(block: ContentBlock): OutputPart | null {
  const { source } = mediaSchema.safeParse(block).data ?? {};
  if (source === undefined || source.data.length <= MOST_INLINE_CHARACTERS) return null;
  return { encoding: 'base64', mediaType: source.media_type, data: source.data };
}

/** By its content: what a tool says of it may be wrong. */
function typeOf(bytes: Buffer): FileMediaType {
  const found = fileMediaTypeSchema.safeParse(readFileStart(bytes)?.mediaType).data;
  return found === undefined || isTextMediaType(found) ? OTHER_MEDIA_TYPE : found;
}

function describe({ id, media_type: mediaType, bytes }: File, { encoding }: OutputPart): string {
  const size = `${mediaType}, ${bytes.toLocaleString('en-US')} bytes`;
  const what = encoding === 'text' ? 'The whole output' : 'What was left out';
  return `[${what} is the file ${id} (${size}), which the user can download.]`;
}

const ENDINGS: Partial<Record<FileMediaType, string>> = {
  'image/jpeg': '.jpg',
  'image/png': '.png',
  'image/gif': '.gif',
  'image/webp': '.webp',
  'application/pdf': '.pdf',
  'text/plain': '.txt',
  'text/markdown': '.md',
  'text/csv': '.csv',
  'text/html': '.html',
  'application/json': '.json',
};
