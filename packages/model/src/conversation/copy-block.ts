import { isJsonObject, type ContentBlock } from '@turnpike/contract';

/** A block as it is sent: these fields, and the marks that it carries in this process. */
export function sentBlock(
  stored: ContentBlock,
  fields: { type: string; [name: string]: unknown },
): ContentBlock {
  const marks = Object.getOwnPropertySymbols(stored).map(
    (mark) => [mark, Reflect.get(stored, mark)] as const,
  );
  return { ...fields, ...Object.fromEntries(marks) };
}

/** The text that replaces an image or a document. */
export function leftOut(block: ContentBlock, reason: string): ContentBlock {
  return sentBlock(block, { type: 'text', text: `[left out: ${block.type}, since ${reason}]` });
}

/**
 * A copy of a JSON value with the names of each object in the order in which the database keeps them: shorter ones
 * first. So a request is the same, byte for byte, whether a value was read back from there or not, and the prompt
 * cache of the API finds it again.
 */
export function inStoredOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inStoredOrder);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).map(([name, part]) => [Buffer.from(name), name, part] as const);
  entries.sort(([one], [other]) => one.length - other.length || Buffer.compare(one, other));
  return Object.fromEntries(entries.map(([, name, part]) => [name, inStoredOrder(part)]));
}
