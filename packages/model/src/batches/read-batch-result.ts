import { parseExact, RetryableError, stringifyExact } from '@turnpike/contract';
import { z } from 'zod';
import { MessageAssembly, type WholeMessage } from '../assemble-message.ts';

const resultSchema = z.looseObject({
  result: z.discriminatedUnion('type', [
    z.looseObject({
      type: z.literal('succeeded'),
      message: z.looseObject({
        model: z.string(),
        content: z.array(z.looseObject({ type: z.string() })),
        stop_reason: z.string(),
        usage: z.looseObject({}),
      }),
    }),
    z.looseObject({ type: z.enum(['errored', 'canceled', 'expired']) }),
  ]),
});

/** The message of a result; null where the request was not made, and where its response cannot be read. */
export function readBatchResult(line: string): WholeMessage | null {
  try {
    return assemble(line);
  } catch (error) {
    if (error instanceof RetryableError) return null;
    throw error;
  }
}

/** It is assembled as the same message would be from a stream, so what is stored of it is the same. */
function assemble(line: string): WholeMessage | null {
  // Numbers in the inputs of calls stay as the model wrote them.
  const parsed = resultSchema.safeParse(parseExact(line));
  if (!parsed.success || parsed.data.result.type !== 'succeeded') return null;
  const { content, stop_reason: stopReason, ...message } = parsed.data.result.message;
  const assembly = new MessageAssembly({ keepsBrokenCalls: true });
  assembly.add({ type: 'message_start', message });
  for (const [index, block] of content.entries()) {
    const { input, ...rest } = block;
    assembly.add({
      type: 'content_block_start',
      index,
      content_block: input === undefined ? rest : { ...rest, input: {} },
    });
    if (input !== undefined) {
      const delta = { type: 'input_json_delta', partial_json: stringifyExact(input) };
      assembly.add({ type: 'content_block_delta', index, delta });
    }
    assembly.add({ type: 'content_block_stop', index });
  }
  assembly.add({ type: 'message_delta', delta: { stop_reason: stopReason } });
  assembly.add({ type: 'message_stop' });
  return assembly.finish();
}
