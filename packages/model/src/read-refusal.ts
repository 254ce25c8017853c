import { blockPathOf, type BlockPath, type RefusedParts } from '@turnpike/contract';

/** A part of the conversation that was sent, by the API's own indexes. Null: the whole message, or the whole block. */
interface NamedPart {
  message: number;
  block: number | null;
  item: number | null;
}

/** What the error of a refused request says about the conversation. */
export interface ReadRefusal {
  named: NamedPart[];
  likely: RefusedParts['likely'];
}

/** `messages.2.content.0.tool_result.content.1.image`, or, from gateways, `messages[2].content[0]`. */
const PATH = /\bmessages\.(\d+)(?:\.content\.(\d+)(?:\.(?:tool_result\.)?content\.(\d+))?)?/g;
const MAX_NAMED = 50;
/** How much of the message is read. */
const MAX_CHARACTERS = 10_000;

/** A setting of the request is wrong, not the conversation. */
const SETTING =
  /^\W?(tools|tool_choice|system|model|max_tokens|thinking|temperature|top_[pk]|stop_sequences|metadata|messages)\W?[.:[]/i;
const MEDIA = /\b(images?|pictures?|pdfs?|documents?|media|files?|urls?|download(ed|ing)?)\b/i;
const FILTER =
  /content[ _-]?(filter|management|moderation|policy)|usage polic|safety (filter|polic|system)|flagged|guardrail/i;

/** Reads the message of an error that refuses a request for its contents. */
export function readRefusal(text: string): ReadRefusal {
  const message = text.slice(0, MAX_CHARACTERS).replaceAll(/\.?\[(\d+)\]/g, '.$1');
  const named = [...message.matchAll(PATH)].slice(0, MAX_NAMED).map(([, index, block, item]) => ({
    message: Number(index),
    block: block === undefined ? null : Number(block),
    item: item === undefined ? null : Number(item),
  }));
  return { named, likely: named.length > 0 ? 'none' : guess(message) };
}

function guess(message: string): RefusedParts['likely'] {
  if (SETTING.test(message)) return 'none';
  if (MEDIA.test(message)) return 'media';
  return FILTER.test(message) ? 'any' : 'new_media';
}

/** The same, by the paths of the stored blocks. A block that is not stored, such as a summary, has no path. */
export function locateRefusal(
  { named, likely }: ReadRefusal,
  messages: readonly { content: unknown }[],
): RefusedParts {
  const paths = named.flatMap(({ message, block, item }) => {
    const blocks = objectsIn(messages[message]?.content);
    if (block === null) return blocks.flatMap(pathsOf);
    const given = blocks[block];
    if (given === undefined) return [];
    const part = item === null ? undefined : objectsIn('content' in given ? given.content : null)[item];
    return pathsOf(part ?? given);
  });
  return { paths, likely };
}

function pathsOf(block: object): BlockPath[] {
  const path = blockPathOf(block);
  return path === undefined ? [] : [path];
}

function objectsIn(content: unknown): object[] {
  if (!Array.isArray(content)) return [];
  return content.filter((block: unknown): block is object => typeof block === 'object' && block !== null);
}
