const LENGTH_BYTES = 4;

/**
 * The parts as one run of bytes that no other parts have: each with its length in front, four bytes,
 * big-endian. UTF-16, since in UTF-8 all unpaired surrogates are the same three bytes.
 */
export function encodeParts(...parts: readonly string[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part, 'utf16le');
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}
