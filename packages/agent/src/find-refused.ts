import {
  blockPathOf,
  type BlockPath,
  type ContentBlock,
  type Message,
  type RefusedParts,
} from '@turnpike/contract';
import type { Progress } from './progress.ts';
import { shownMessages } from './shown-messages.ts';

const MEDIA = new Set(['image', 'document']);

/** A block that the model was shown, and where it is stored. */
interface Shown {
  block: ContentBlock;
  path: BlockPath;
}

/**
 * The blocks that the model API refused: those that it named, else those that it most likely meant. It can read
 * again what it read before, except for what it fetches from a URL each time. None where no block is suspect.
 */
export function findRefused(
  progress: Pick<Progress, 'history' | 'messages'>,
  { paths, likely }: RefusedParts,
): { paths: BlockPath[]; certain: boolean } {
  if (paths.length > 0) return { paths, certain: true };
  const own = shownMessages(progress.messages);
  const unread = own.slice(own.findLastIndex(({ role }) => role === 'assistant') + 1);
  const suspects = suspectsIn(likely, unread, [...shownMessages(progress.history), ...own]);
  return { paths: suspects.map(({ path }) => path), certain: false };
}

function suspectsIn(
  likely: RefusedParts['likely'],
  unread: readonly Message[],
  all: readonly Message[],
): Shown[] {
  if (likely === 'none') return [];
  if (likely === 'any') return unread.flatMap(({ content }) => content.flatMap(shown));
  const fresh = mediaIn(unread);
  if (fresh.length > 0 || likely === 'new_media') return fresh;
  const media = mediaIn(all);
  const fetched = media.filter(({ block }) => isFetched(block));
  return fetched.length > 0 ? fetched : media;
}

/** Images and documents, also in the results of tools. */
function mediaIn(messages: readonly Message[]): Shown[] {
  return messages
    .flatMap(({ content }) => content)
    .flatMap((block) => (block.type === 'tool_result' ? itemsOf(block) : [block]))
    .filter(({ type }) => MEDIA.has(type))
    .flatMap(shown);
}

function itemsOf({ content }: ContentBlock): ContentBlock[] {
  return Array.isArray(content) ? (content as ContentBlock[]) : [];
}

function shown(block: ContentBlock): Shown[] {
  const path = blockPathOf(block);
  return path === undefined ? [] : [{ block, path }];
}

function isFetched({ source }: ContentBlock): boolean {
  return typeof source === 'object' && source !== null && 'type' in source && source.type === 'url';
}
