/** The same bytes in base64, as ASCII. */
export async function* inBase64(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of content) {
    const bytes = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece]);
    // Three bytes are four characters.
    const whole = bytes.length - (bytes.length % 3);
    if (whole > 0) yield Buffer.from(bytes.toString('base64', 0, whole), 'latin1');
    rest = bytes.subarray(whole);
  }
  if (rest.length > 0) yield Buffer.from(rest.toString('base64'), 'latin1');
}

/** UTF-8 text as it is written inside of a JSON string. */
export async function* inJsonText(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // No character is cut in two: JSON writes halves of a pair in another way.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const piece of content) yield escaped(decoder.decode(piece, { stream: true }));
  yield escaped(decoder.decode());
}

/** How many bytes `inJsonText` makes of it. */
export async function jsonTextLength(content: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const piece of inJsonText(content)) length += piece.length;
  return length;
}

function escaped(text: string): Uint8Array {
  return Buffer.from(JSON.stringify(text).slice(1, -1));
}
