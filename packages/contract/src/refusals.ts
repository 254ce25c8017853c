import { z } from 'zod';
import type { ContentBlock } from './content.ts';
import { idSchema } from './ids.ts';

const blockIndex = z.int().nonnegative().meta({ description: 'Its place in the content of the message.' });
const itemIndex = z
  .int()
  .nonnegative()
  .nullable()
  .meta({ description: 'The place in the content of a tool result; null where it is the whole block.' });
const certain = z.boolean().meta({
  description: 'False where the model API did not say which block it refuses: this is a likely one.',
});

/** A block of a stored message that the model API refused: the model is shown a short text in its place. */
export const refusedBlockSchema = z
  .object({
    block_index: blockIndex,
    item_index: itemIndex,
    certain,
    reason: z.string().meta({ description: "The model API's words." }),
  })
  .meta({
    id: 'RefusedBlock',
    description: 'A block that the model is not shown, since its API refused it.',
  });
export type RefusedBlock = z.infer<typeof refusedBlockSchema>;

/** As an error names it. */
export const refusedInputSchema = z
  .object({ message_id: idSchema('message'), block_index: blockIndex, item_index: itemIndex, certain })
  .meta({ id: 'RefusedInput' });

/** Where a block of a conversation is stored. */
export interface BlockPath {
  messageId: string;
  /** The place of its turn in the session, and its own in that turn. */
  turnSequence: number;
  messageIndex: number;
  blockIndex: number;
  /** In the content of a tool result; null for the whole block. */
  itemIndex: number | null;
}

/** What is to be left out of the conversation from now on. */
export interface Refusal extends BlockPath {
  certain: boolean;
  reason: string;
}

/**
 * What the words of the model API say of the blocks that it refuses. Where they name none: some image or document
 * (`media`), one that it had not been sent before if there is one (`new_media`), or anything that is new (`any`).
 */
export interface RefusedParts {
  paths: BlockPath[];
  likely: 'media' | 'new_media' | 'any' | 'none';
}

/** JSON leaves out what a symbol names, and copies of a block keep it. */
const PATH = Symbol('path');
type BlockWithPath = ContentBlock & { [PATH]?: BlockPath };

/** A copy of the block that knows where it is stored, on its way through whatever prepares a conversation. */
export function withBlockPath(block: ContentBlock, path: BlockPath): ContentBlock {
  const copy: BlockWithPath = { ...block, [PATH]: path };
  return copy;
}

/** Undefined for a block that is not stored, such as one that stands in for another. */
export function blockPathOf(block: object): BlockPath | undefined {
  const withPath: Pick<BlockWithPath, typeof PATH> = block;
  return withPath[PATH];
}
