import { EgressRefusedError } from './errors.ts';

/** Headers of the connection or of the message framing: only the HTTP client sets them. */
const REFUSED_HEADERS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const MAX_HEADERS = 64;
const MAX_TOTAL_LENGTH = 32_768;

/**
 * Returns the headers with lower-case names. Refuses hop-by-hop and proxy headers, names that are not
 * tokens, and values that could start a new line (RFC 9110, section 5).
 * Throws `EgressRefusedError` with the code `header_refused`; the message contains no value.
 */
export function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {};
  let length = 0;
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    if (!TOKEN.test(given)) throw refused('A header name is not valid.');
    if (REFUSED_HEADERS.has(name) || name.startsWith('proxy-')) {
      throw refused(`The header ${name} cannot be set.`);
    }
    if (!VALUE.test(value)) throw refused(`The value of the header ${name} is not valid.`);
    checked[name] = value;
    length += name.length + value.length;
  }
  if (Object.keys(headers).length > MAX_HEADERS || length > MAX_TOTAL_LENGTH) {
    throw refused(`There are more than ${MAX_HEADERS} headers, or ${MAX_TOTAL_LENGTH} characters in them.`);
  }
  return checked;
}

function refused(message: string): EgressRefusedError {
  return new EgressRefusedError('header_refused', message);
}
