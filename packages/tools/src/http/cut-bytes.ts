/** The beginning of a text, at most `limit` bytes of UTF-8 and never ending inside a character, with a note where it was cut. */
export function cutBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  const kept = new TextDecoder().decode(bytes.subarray(0, limit), { stream: true });
  return `${kept}\n[cut: only the first ${limit.toLocaleString('en-US')} bytes are shown]`;
}
