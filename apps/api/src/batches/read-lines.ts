import { ProblemError } from '@turnpike/contract';

/** A line of a JSONL text, without its end. */
export interface TextLine {
  /** From 1, as in the results of the batch: empty lines are not counted. */
  number: number;
  bytes: Buffer;
}

/** The most bytes of one line: those of a request to the Messages API. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** The lines that are not empty, one at a time: no more of the content is held than a line. Throws `batch_too_large`. */
export async function* readLines(
  content: AsyncIterable<Buffer>,
  mostBytes: number,
): AsyncGenerator<TextLine> {
  let number = 0;
  let total = 0;
  let begun: Buffer[] = [];
  let begunBytes = 0;
  const end = (last: Buffer): Buffer => {
    const whole = begun.length === 0 ? last : Buffer.concat([...begun, last]);
    begun = [];
    begunBytes = 0;
    return whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole;
  };
  for await (const chunk of content) {
    total += chunk.length;
    if (total > mostBytes) throw tooLarge(`${mostBytes} bytes (\`max_batch_bytes\`)`);
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      const bytes = end(chunk.subarray(start, at));
      if (bytes.length > 0) yield { number: (number += 1), bytes };
      start = at + 1;
    }
    const rest = chunk.subarray(start);
    if (rest.length > 0) begun.push(rest);
    begunBytes += rest.length;
    if (begunBytes > MAX_LINE_BYTES) throw tooLarge(`${MAX_LINE_BYTES} bytes in line ${number + 1}`);
  }
  const bytes = end(Buffer.alloc(0));
  if (bytes.length > 0) yield { number: number + 1, bytes };
}

export function tooLarge(limit: string): ProblemError {
  return new ProblemError('batch_too_large', `A batch may have ${limit}.`);
}
