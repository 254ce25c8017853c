import { randomBytes } from 'node:crypto';

/** A value that must be nowhere, as bytes: the forms of a key are looked for too, and not only of its text. */
export interface Canary {
  name: string;
  bytes: Buffer;
}

export interface Finding {
  source: string;
  canary: string;
  form: string;
}

export function canaryOf(name: string, value: string | Buffer): Canary {
  return { name, bytes: Buffer.from(value) };
}

/** Text that is nowhere else; `also` brings characters that have another form in a URL, in JSON or in base64. */
export function uniqueText(begin: string, also = ''): string {
  return `${begin}${randomBytes(16).toString('hex')}${also}`;
}

/** Where a text has one of these, in any form. */
export function scan(source: string, text: string, canaries: readonly Canary[]): Finding[] {
  return canaries.flatMap((canary) =>
    [...formsOf(canary.bytes)]
      .filter(([, form]) => text.includes(form))
      .map(([form]) => ({ source, canary: canary.name, form })),
  );
}

/**
 * Not those of the product, on purpose: what it fails to hide is what this must find.
 */
function formsOf(bytes: Buffer): Map<string, string> {
  const text = bytes.toString('utf8');
  const forms = new Map([
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
  ]);
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before, 'x'), bytes, Buffer.alloc(3, 'x')]);
    const first = before === 0 ? 0 : before + 1;
    const last = Math.floor(((before + bytes.length) * 8) / 6);
    forms.set(`base64, ${before} before`, padded.toString('base64').slice(first, last));
    forms.set(`base64url, ${before} before`, padded.toString('base64url').slice(first, last));
  }
  // A key is bytes, and no text.
  if (!Buffer.from(text).equals(bytes)) return forms;
  const inJson = JSON.stringify(text).slice(1, -1);
  const inUrl = encodeURIComponent(text);
  return forms
    .set('raw', text)
    .set('most of it', text.slice(0, -4))
    .set('URL-encoded', inUrl)
    .set(
      'URL-encoded in lower case',
      inUrl.replaceAll(/%../g, (escape) => escape.toLowerCase()),
    )
    .set('URL-encoded twice', encodeURIComponent(inUrl))
    .set('Unicode escapes', text.replaceAll(/[^]/g, unicodeEscape))
    .set('JSON with escaped slashes', inJson.replaceAll('/', '\\/'))
    .set('base64 in lines', bytes.toString('base64').replaceAll(/.{20}(?=.)/g, '$&\n'))
    .set('form-encoded', new URLSearchParams([['', text]]).toString().slice(1))
    .set('JSON-escaped', inJson)
    .set('JSON in JSON', JSON.stringify(inJson).slice(1, -1));
}

function unicodeEscape(letter: string): string {
  return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
