import { fileSourceOf, type ContentBlock } from '@turnpike/contract';

const SHOWN = new Set(['text', 'image', 'document']);

/** Blocks as the client has types for them: others, of tools, are shown as their JSON. */
export function shownBlocks(content: readonly ContentBlock[]): object[] {
  return content.map((block) => {
    if (!SHOWN.has(block.type)) return { type: 'text', text: JSON.stringify(block) };
    if (block.type === 'text') return { type: 'text', text: block['text'] };
    const file = fileSourceOf(block);
    const source = file === null ? block['source'] : { type: 'file', file_id: file.file_id };
    const { title, context } = block;
    return {
      type: block.type,
      source,
      ...(title === undefined ? {} : { title }),
      ...(context === undefined ? {} : { context }),
    };
  });
}
