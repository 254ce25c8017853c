import type { BodyEnd, EgressResponse } from '@turnpike/egress';

/**
 * The body of a response as the model can read it: its text, or a description of binary data, and a note where it is
 * truncated. `clean` is given the text, and whether it is truncated.
 */
export function describeBody(
  { headers, body, bodyEnd }: EgressResponse,
  clean: (text: string, isTruncated: boolean) => string = (text) => text,
): string {
  const isTruncated = bodyEnd !== 'complete';
  const text = readText({ headers, body, bodyEnd });
  const shown =
    text === null
      ? `[binary: ${body.byteLength.toLocaleString('en-US')} bytes that are not text]`
      : clean(text, isTruncated);
  return shown + noteEnd(bodyEnd, body.byteLength);
}

/** Null for bytes that are not text. */
export function readText({
  headers,
  body,
  bodyEnd,
}: Pick<EgressResponse, 'headers' | 'body' | 'bodyEnd'>): string | null {
  return decodeText(body, charsetOf(headers['content-type'] ?? ''), bodyEnd !== 'complete');
}

function charsetOf(contentType: string): string {
  return /;\s*charset\s*=\s*"?([\w.:-]{1,40})/i.exec(contentType)?.[1] ?? 'utf-8';
}

/** Null for bytes that are not text in this character set, and for an unknown character set. */
function decodeText(body: Uint8Array, charset: string, isTruncated: boolean): string | null {
  try {
    // Truncated text may end inside a character: `stream` makes the decoder accept that.
    const text = new TextDecoder(charset, { fatal: true }).decode(body, { stream: isTruncated });
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

function noteEnd(bodyEnd: BodyEnd, bytes: number): string {
  const count = bytes.toLocaleString('en-US');
  switch (bodyEnd) {
    case 'complete':
      return '';
    case 'size_limit':
      return `\n[truncated: only the first ${count} bytes were read]`;
    case 'connection_lost':
      return `\n[truncated: the connection broke after ${count} bytes]`;
    case 'undecodable':
      return '\n[truncated: the rest could not be decompressed]';
    case 'timeout':
      return `\n[truncated: the request timed out after ${count} bytes]`;
    default:
      return bodyEnd satisfies never;
  }
}
