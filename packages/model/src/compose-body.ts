import { randomBytes } from 'node:crypto';
import {
  base64Length,
  fileSourceOf,
  isTextMediaType,
  RetryableError,
  TerminalError,
  type ContentBlock,
  type FileSource,
  type Message,
} from '@turnpike/contract';
import { serializeBody, type MessagesBody } from './build-request.ts';
import { leftOut } from './conversation/copy-block.ts';
import { inBase64, inJsonText, jsonTextLength } from './encode-file.ts';
import type { ModelFiles, OpenedFile } from './model-files.ts';

/** The body of a request: text, or, where it has files, their bytes as they are read. */
export interface ComposedBody {
  content: string | ReadableStream<Uint8Array>;
  /** Bytes of a stream; null for a text. */
  length: number | null;
  /** What broke the stream, where it was not the connection. */
  failure(): RetryableError | null;
}

/** A file as it is sent, in place of its mark. */
interface SentFile {
  source: FileSource;
  opened: OpenedFile;
}

/**
 * The body with the content of its files, which is read while the request is sent: no more than a few pieces of it are
 * held at any time. A text takes the place of a file that is not there any more. Throws what `files` throws.
 */
export async function composeBody(
  body: Pick<MessagesBody, 'messages'>,
  tenantId: string,
  files: ModelFiles,
  signal: AbortSignal,
): Promise<ComposedBody> {
  const messages = body.messages as unknown as Message[];
  const opened = await openAll(messages, tenantId, files);
  if (opened.size === 0) return { content: serializeBody(body), length: null, failure: () => null };
  const mark = randomBytes(16).toString('hex');
  const sent: SentFile[] = [];
  const placed = messages.map(({ role, content }) => ({
    role,
    content: content.map((block) =>
      withContent(block, (source) => {
        const file = opened.get(source.file_id);
        if (file === undefined || file === null) return null;
        sent.push({ source, opened: file });
        return mark;
      }),
    ),
  }));
  const texts = serializeBody({ ...body, messages: placed as unknown as MessagesBody['messages'] }).split(
    mark,
  );
  let length = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  // One after the other: each of them is read.
  for (const file of sent) length += await lengthOf(file, signal);
  let failure: RetryableError | null = null;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (const [index, text] of texts.entries()) {
        yield Buffer.from(text);
        const file = sent[index];
        if (file !== undefined) yield* encoded(file, signal);
      }
    } catch (error) {
      failure ??= unreadable(error);
      throw failure;
    }
  };
  return { content: streamOf(pieces()), length, failure: () => failure };
}

/** No cloud takes a longer one, and its SDK holds several copies. */
const MOST_WHOLE_BYTES = 20 * 1024 * 1024;

/**
 * The body as a text, for an SDK that cannot send a stream. Throws `TerminalError` (`model_request_too_large`), and
 * what broke the stream.
 */
export async function wholeBody({ content, length }: ComposedBody): Promise<string> {
  if (typeof content === 'string') return content;
  if (length !== null && length > MOST_WHOLE_BYTES) {
    const message = 'With its files, the conversation is larger than this provider takes.';
    throw new TerminalError('model_request_too_large', message);
  }
  return new Response(content).text();
}

async function openAll(
  messages: readonly Message[],
  tenantId: string,
  files: ModelFiles,
): Promise<Map<string, OpenedFile | null>> {
  const sources = messages.flatMap(({ content }) => content.flatMap(sourcesIn));
  const ids = [...new Set(sources.map(({ file_id: id }) => id))];
  const open = (id: string) => files.open(tenantId, id).catch(throwUnreadable);
  return new Map(await Promise.all(ids.map(async (id) => [id, await open(id)] as const)));
}

/** The stored files that a block names. */
export function sourcesIn(block: ContentBlock): FileSource[] {
  const own = fileSourceOf(block);
  if (own !== null) return [own];
  const inner = block['content'];
  return block.type === 'tool_result' && Array.isArray(inner)
    ? (inner as ContentBlock[]).flatMap(sourcesIn)
    : [];
}

/** The block with what `place` gives in place of its file's content; for null, a text that says that it is gone. */
function withContent(block: ContentBlock, place: (source: FileSource) => string | null): ContentBlock {
  const inner = block['content'];
  if (block.type === 'tool_result' && Array.isArray(inner)) {
    return { ...block, content: (inner as ContentBlock[]).map((item) => withContent(item, place)) };
  }
  const source = fileSourceOf(block);
  if (source === null) return block;
  const data = place(source);
  if (data === null) {
    const cache = block['cache_control'];
    return {
      ...leftOut(block, 'the file was deleted'),
      ...(cache === undefined ? {} : { cache_control: cache }),
    };
  }
  const isText = isTextMediaType(source.media_type);
  return {
    ...block,
    source: isText
      ? { data, type: 'text', media_type: 'text/plain' }
      : { data, type: 'base64', media_type: source.media_type },
  };
}

async function lengthOf({ source, opened }: SentFile, signal: AbortSignal): Promise<number> {
  if (!isTextMediaType(source.media_type)) return base64Length(source.bytes);
  return jsonTextLength(opened.read(signal)).catch(throwUnreadable);
}

function encoded({ source, opened }: SentFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const content = opened.read(signal);
  return isTextMediaType(source.media_type) ? inJsonText(content) : inBase64(content);
}

function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return(undefined);
      },
    },
    // Nothing is read before it is asked for.
    { highWaterMark: 0 },
  );
}

const throwUnreadable = (error: unknown): never => {
  throw unreadable(error);
};

function unreadable(error: unknown): RetryableError {
  if (error instanceof RetryableError) return error;
  return new RetryableError(
    'file_unavailable',
    'A file of the conversation could not be read.',
    undefined,
    error,
  );
}
