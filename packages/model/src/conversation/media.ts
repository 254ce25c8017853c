import {
  fileSourceOf,
  fitsBlock,
  IMAGE_MEDIA_TYPES,
  isJsonObject,
  MANY_IMAGES,
  MAX_IMAGES,
  MAX_MEDIA_CHARACTERS,
  MAX_SIDE_OF_MANY,
  readFileHeader,
  sentCharacters,
  type ContentBlock,
  type Message,
} from '@turnpike/contract';
import { leftOut } from './copy-block.ts';

const IMAGE_TYPES: ReadonlySet<string> = new Set(IMAGE_MEDIA_TYPES);

/** Whether the API may accept an image or a document from this source, as far as that can be told without opening it. */
export function isSendableSource(type: string, source: unknown): boolean {
  if (!isJsonObject(source)) return false;
  const { type: kind, media_type: mediaType, data, url } = source;
  if (kind === 'file') return fileSourceOf({ type, source }) !== null && fitsBlock(type, String(mediaType));
  if (kind === 'url') return typeof url === 'string' && /^https?:/i.test(url);
  if (typeof data !== 'string' || data === '') return false;
  if (kind === 'text') return type === 'document' && mediaType === 'text/plain' && data.trim() !== '';
  if (kind !== 'base64') return false;
  return type === 'image' ? IMAGE_TYPES.has(String(mediaType)) : mediaType === 'application/pdf';
}

/** Images are left out in steps of this share, so that most requests begin with the same bytes as the one before. */
const STEP = 0.2;

/** Leaves out older images and documents of a conversation that has more than one request can carry. */
export function boundMedia(messages: readonly Message[]): Message[] {
  const all = messages.flatMap(({ content }) => content).flatMap(mediaIn);
  const oldest = oldestOf(all);
  const images = all.filter((block) => block.type === 'image' && !oldest.has(block));
  const left = new Set([...oldest, ...refusedAmongMany(images)]);
  if (left.size === 0) return [...messages];
  const bounded = (block: ContentBlock): ContentBlock => {
    if (left.has(block))
      return leftOut(block, 'the conversation has newer ones, and a request cannot carry all');
    const inner = block['content'];
    return Array.isArray(inner) && mediaIn(block).length > 0
      ? { ...block, content: inner.map(bounded) }
      : block;
  };
  return messages.map(({ role, content }) => ({ role, content: content.map(bounded) }));
}

/** The oldest ones, where they are too many, or too large together. */
function oldestOf(all: readonly ContentBlock[]): ReadonlySet<ContentBlock> {
  const count = toLeaveOut(all.length, MAX_IMAGES);
  const characters = toLeaveOut(
    all.reduce((sum, block) => sum + charactersOf(block), 0),
    MAX_MEDIA_CHARACTERS,
  );
  const old = new Set<ContentBlock>();
  let oldCharacters = 0;
  for (const block of all) {
    if (old.size >= count && oldCharacters >= characters) break;
    old.add(block);
    oldCharacters += charactersOf(block);
  }
  return old;
}

/**
 * In a request with many images the API refuses large ones, which it accepts in a request with few. So the large ones
 * among the older images are left out; where one of the newest is large, all of the older ones.
 */
function refusedAmongMany(images: readonly ContentBlock[]): readonly ContentBlock[] {
  const older = images.slice(0, -MANY_IMAGES);
  if (older.length === 0) return [];
  return images.slice(-MANY_IMAGES).some(isLarge) ? older : older.filter(isLarge);
}

function isLarge(block: ContentBlock): boolean {
  const { source } = block;
  const { width = 0, height = 0 } = fileSourceOf(block) ?? {};
  if (Math.max(width, height) > MAX_SIDE_OF_MANY) return true;
  if (!isJsonObject(source) || source['type'] !== 'base64' || typeof source['data'] !== 'string')
    return false;
  const size = readFileHeader(source['data'])?.size;
  return size != null && Math.max(size.width, size.height) > MAX_SIDE_OF_MANY;
}

function toLeaveOut(size: number, most: number): number {
  return size <= most ? 0 : Math.ceil((size - most) / (most * STEP)) * most * STEP;
}

function mediaIn(block: ContentBlock): ContentBlock[] {
  if (block.type === 'image' || block.type === 'document') return [block];
  const { content } = block;
  return block.type === 'tool_result' && Array.isArray(content) ? content.flatMap(mediaIn) : [];
}

/** Of the images and documents that a request has in memory; `files`: also of those that are stored elsewhere. */
export function heldCharacters(messages: readonly Message[], { files }: { files: boolean }): number {
  const media = messages.flatMap(({ content }) => content).flatMap(mediaIn);
  const held = media.filter((block) => files || fileSourceOf(block) === null);
  return held.reduce((sum, block) => sum + charactersOf(block), 0);
}

/** Also of one whose data was not read, since it is too old to be sent. */
function charactersOf(block: ContentBlock): number {
  const { source } = block;
  const file = fileSourceOf(block);
  if (file !== null) return sentCharacters(file);
  if (!isJsonObject(source)) return 0;
  const { data, characters } = source;
  if (source['type'] === 'omitted' && typeof characters === 'number') return characters;
  return typeof data === 'string' ? data.length : 0;
}
