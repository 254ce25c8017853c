import type { ToolOutput, TurnLogger } from '@turnpike/contract';
import { boundOutput, hideSecrets, textOutput } from '@turnpike/tools';
import { z } from 'zod';
import type { CodeTool } from '../define-tool.ts';
import { validate } from '../validate.ts';
import { hideInBlocks } from './hide-in-output.ts';
import { OUTPUT_LIMITS } from './output-limits.ts';

const blocksSchema = z
  .array(z.looseObject({ type: z.enum(['text', 'image', 'document']) }))
  .min(1)
  .max(100);
type Blocks = z.infer<typeof blocksSchema>;

/**
 * What a tool returned, as the model sees it: text and content blocks as they are, any other value as JSON, without
 * the call's secrets. What cannot be shown is an error that says so: the tool did run.
 */
export async function readReturn(
  tool: CodeTool,
  returned: unknown,
  secrets: readonly string[],
  logger: TurnLogger,
): Promise<ToolOutput> {
  const refused = (why: string): ToolOutput => {
    logger.error(`A tool returned an output that ${why}.`);
    return textOutput(`The tool ran, but its output cannot be shown: it ${why}.`, true);
  };
  let value = returned;
  if (tool.code.output !== null) {
    const checked = await validate(tool.code.output, returned);
    if (!checked.valid)
      return refused(`does not fit its schema (${hideSecrets(checked.issues, secrets, false)})`);
    value = checked.value;
  }
  const blocks = blocksSchema.safeParse(value);
  const content = blocks.success ? blocks.data : asText(value);
  if (content === null) return refused('is no JSON value');
  const hidden = hideInBlocks(content, secrets);
  return (
    boundOutput({ content: hidden, isError: false }, OUTPUT_LIMITS) ?? refused('has invalid content blocks')
  );
}

function asText(value: unknown): Blocks | null {
  const text = value === undefined ? 'Done.' : typeof value === 'string' ? value : asJson(value);
  return text === null ? null : [{ type: 'text', text: text.trim() === '' ? '[no output]' : text }];
}

/** Null for what is no JSON: a function, a symbol, a circle, a bigint. */
function asJson(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch {
    return null;
  }
}
