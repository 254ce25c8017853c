type Block = { type: string } & Record<string, unknown>;

/** Blocks as our input has them: an optional field that is null is one that was left out. */
export function inputBlocks(content: readonly Block[]): Block[] {
  return content.map((block) => {
    const fields = Object.entries(block).filter(([, value]) => value !== null);
    return { ...Object.fromEntries(fields), type: block.type };
  });
}
