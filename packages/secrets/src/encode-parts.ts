const LENGTH_BYTES = 4;

/**
 * Encodes the parts so that different lists never have the same bytes: each part is preceded by its length (four
 * bytes, big-endian). UTF-16, because UTF-8 encodes all unpaired surrogates as the same three bytes.
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
