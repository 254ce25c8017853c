import { isJsonObject, type ContentBlock } from '@turnpike/contract';

/** What the API is sent of a block: these fields, and what marks the block in this process. */
export function sentBlock(
  stored: ContentBlock,
  fields: { type: string; [name: string]: unknown },
): ContentBlock {
  const marks = Object.getOwnPropertySymbols(stored).map(
    (mark) => [mark, Reflect.get(stored, mark)] as const,
  );
  return { ...fields, ...Object.fromEntries(marks) };
}

/** The text that stands in the place of a picture or a document. */
export function leftOut(block: ContentBlock, why: string): ContentBlock {
  return sentBlock(block, { type: 'text', text: `[left out: ${block.type}, since ${why}]` });
}

/**
 * A copy of a JSON value with the names of each object in the order in which the database keeps them: shorter
 * ones first. So what is sent is the same, byte for byte, whether it was read back from there or not, and the
 * prompt cache of the API finds it again.
 */
export function inStoredOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inStoredOrder);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).map(([name, part]) => [Buffer.from(name), name, part] as const);
  entries.sort(([one], [other]) => one.length - other.length || Buffer.compare(one, other));
  return Object.fromEntries(entries.map(([, name, part]) => [name, inStoredOrder(part)]));
}
