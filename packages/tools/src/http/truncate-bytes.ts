/** The beginning of a text, at most `limit` bytes of UTF-8 and of whole characters, with a note where it was truncated. */
export function truncateBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  const kept = new TextDecoder().decode(bytes.subarray(0, limit), { stream: true });
  return `${kept}\n[truncated: only the first ${limit.toLocaleString('en-US')} bytes are shown]`;
}
