import type { BodyEnd, EgressResponse } from '@turnpike/egress';

/**
 * The body of an answer as the model can read it: its text, or what it is instead, and why it is not
 * whole. `clean` is given the text, and whether it was cut.
 */
export function describeBody(
  { headers, body, bodyEnd }: EgressResponse,
  clean: (text: string, cut: boolean) => string = (text) => text,
): string {
  const type = headers['content-type'] ?? '';
  const cut = bodyEnd !== 'complete';
  const text = decodeText(body, charsetOf(type), cut);
  const shown =
    text === null
      ? `[binary: ${body.byteLength.toLocaleString('en-US')} bytes that are not text]`
      : clean(text, cut);
  return shown + noteEnd(bodyEnd, body.byteLength);
}

function charsetOf(contentType: string): string {
  return /;\s*charset\s*=\s*"?([\w.:-]{1,40})/i.exec(contentType)?.[1] ?? 'utf-8';
}

/** Null for what is no text in this character set, or in one that is not known. */
function decodeText(body: Uint8Array, charset: string, cut: boolean): string | null {
  try {
    // A cut may fall inside a character: then the decoder is told that more would have come.
    const text = new TextDecoder(charset, { fatal: true }).decode(body, { stream: cut });
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
      return '\n[truncated: the rest is not compressed as the answer says]';
    case 'timeout':
      return `\n[truncated: the time was over after ${count} bytes]`;
    default:
      return bodyEnd satisfies never;
  }
}
