import { z } from 'zod';
import type { ContentBlock } from './content.ts';
import { idSchema } from './ids.ts';

const blockIndex = z
  .int()
  .nonnegative()
  .meta({ description: 'Index of the block in the content of the message.' });
const itemIndex = z
  .int()
  .nonnegative()
  .nullable()
  .meta({ description: 'Index in the content of a tool result; null for the whole block.' });
const certain = z.boolean().meta({
  description: 'False if the model API did not name the block: this is the most likely one.',
});

/** A block of a stored message that the model API refused. The model sees a short text instead. */
export const refusedBlockSchema = z
  .object({
    block_index: blockIndex,
    item_index: itemIndex,
    certain,
    reason: z.string().meta({ description: "The model API's error message." }),
  })
  .meta({
    id: 'RefusedBlock',
    description: 'A block that is not sent to the model because the model API refused it.',
  });
export type RefusedBlock = z.infer<typeof refusedBlockSchema>;

/** A refused block, as a turn's error names it. */
export const refusedInputSchema = z
  .object({ message_id: idSchema('message'), block_index: blockIndex, item_index: itemIndex, certain })
  .meta({ id: 'RefusedInput' });

/** Where a block of a conversation is stored. */
export interface BlockPath {
  messageId: string;
  /** Position of the message's turn in the session. */
  turnSequence: number;
  /** Index of the message in its turn. */
  messageIndex: number;
  blockIndex: number;
  /** Index in the content of a tool result; null for the whole block. */
  itemIndex: number | null;
}

/** A block that is omitted from the conversation from now on. */
export interface Refusal extends BlockPath {
  certain: boolean;
  reason: string;
}

/**
 * The blocks that an error of the model API refuses. If it names none, `likely` says what it probably means: an
 * image or document (`media`), preferably a new one (`new_media`), or any new block (`any`).
 */
export interface RefusedParts {
  paths: BlockPath[];
  likely: 'media' | 'new_media' | 'any' | 'none';
}

/** A symbol, because JSON omits symbol properties and copies of a block keep them. */
const PATH = Symbol('path');
type BlockWithPath = ContentBlock & { [PATH]?: BlockPath };

/** A copy of the block that carries its storage path while the conversation is prepared. */
export function withBlockPath(block: ContentBlock, path: BlockPath): ContentBlock {
  const copy: BlockWithPath = { ...block, [PATH]: path };
  return copy;
}

/** The storage path of a block; undefined for a block that is not stored, such as a replacement for a refused one. */
export function blockPathOf(block: object): BlockPath | undefined {
  const withPath: Pick<BlockWithPath, typeof PATH> = block;
  return withPath[PATH];
}
