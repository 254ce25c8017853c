import { blockPathOf, type BlockPath, type RefusedParts } from '@turnpike/contract';

/** A part of the conversation that was sent, as the API counts them. Null: the whole message, or the whole block. */
interface NamedPart {
  message: number;
  block: number | null;
  item: number | null;
}

/** What an error that refuses a request says of the conversation in it. */
export interface RefusalWords {
  named: NamedPart[];
  likely: RefusedParts['likely'];
}

/** `messages.2.content.0.tool_result.content.1.image`, and as gateways write it: `messages[2].content[0]`. */
const PATH = /\bmessages\.(\d+)(?:\.content\.(\d+)(?:\.(?:tool_result\.)?content\.(\d+))?)?/g;
const MOST_NAMED = 50;
/** Of the text that is looked at. */
const MOST_LETTERS = 10_000;

/** A setting of the request is at fault, not what is said in it. */
const SETTING =
  /^\W?(tools|tool_choice|system|model|max_tokens|thinking|temperature|top_[pk]|stop_sequences|metadata|messages)\W?[.:[]/i;
const MEDIA = /\b(images?|pictures?|pdfs?|documents?|media|files?|urls?|download(ed|ing)?)\b/i;
const FILTER =
  /content[ _-]?(filter|management|moderation|policy)|usage polic|safety (filter|polic|system)|flagged|guardrail/i;

/** Reads the words of an error that refuses a request for what is in it. */
export function readRefusal(text: string): RefusalWords {
  const words = text.slice(0, MOST_LETTERS).replaceAll(/\.?\[(\d+)\]/g, '.$1');
  const named = [...words.matchAll(PATH)].slice(0, MOST_NAMED).map(([, message, block, item]) => ({
    message: Number(message),
    block: block === undefined ? null : Number(block),
    item: item === undefined ? null : Number(item),
  }));
  return { named, likely: named.length > 0 ? 'none' : guess(words) };
}

function guess(words: string): RefusedParts['likely'] {
  if (SETTING.test(words)) return 'none';
  if (MEDIA.test(words)) return 'media';
  return FILTER.test(words) ? 'any' : 'new_media';
}

/** The same, by where the blocks are stored. What is not stored, such as notes of ours, has no path. */
export function locateRefusal(
  { named, likely }: RefusalWords,
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
