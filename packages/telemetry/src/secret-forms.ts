/**
 * A secret in the forms in which it travels: raw, URL-encoded, JSON-escaped, in hexadecimal, and in base64, also as
 * a part of something longer (`user:password`), where it may begin at any of three places in a group of letters.
 */
export function secretForms(value: string): string[] {
  const bytes = Buffer.from(value);
  const wellFormed = value.toWellFormed();
  // Alone, its last letter is part of it; in something longer that letter tells of what follows too.
  const alone = bytes.toString('base64').replace(/=+$/, '');
  const inBase64 = [alone, ...[0, 1, 2].map((before) => insideBase64(bytes, before))];
  return [
    value,
    encodeURIComponent(wellFormed),
    // As forms and `URLSearchParams` write it: a space is a plus, and more is escaped.
    new URLSearchParams([['', wellFormed]]).toString().slice(1),
    JSON.stringify(value).slice(1, -1),
    bytes.toString('hex'),
    ...inBase64,
    ...inBase64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** The letters that say nothing but these bytes, which so many others stand before. */
function insideBase64(bytes: Buffer, before: number): string {
  const letters = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
  const whole = Math.floor(((before + bytes.length) * 8) / 6);
  return letters.slice(Math.ceil((before * 8) / 6), whole);
}
