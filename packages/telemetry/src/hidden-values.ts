/** Shorter ones would hide parts of ordinary words. */
const SHORTEST = 6;
const MOST_VALUES = 10_000;

/** Every form of every known secret, newest last. */
const hidden = new Set<string>();

/**
 * From now on this value is scrubbed from every log line of the process, raw and in the forms in
 * which it travels: base64, URL-encoded, JSON-escaped. The newest ten thousand forms are known.
 */
export function hideValue(value: string): void {
  if (value.length < SHORTEST) return;
  const forms = [
    value,
    encodeURIComponent(value),
    Buffer.from(value).toString('base64').replace(/=+$/, ''),
    Buffer.from(value).toString('base64url'),
    JSON.stringify(value).slice(1, -1),
  ];
  for (const form of forms) {
    hidden.delete(form);
    hidden.add(form);
  }
  for (const oldest of hidden) {
    if (hidden.size <= MOST_VALUES) break;
    hidden.delete(oldest);
  }
}

/** What is known to be a secret by its shape, whoever it belongs to. */
const SHAPES: [RegExp, string][] = [
  [/\b(?:sk-ant|tp_live|tp_dev|whsec)[-_][A-Za-z0-9_+/=-]{8,}/g, '[secret]'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [secret]'],
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]+@/gi, '$1:[secret]@'],
];

/** The text without any secret that is known by its value or by its shape. */
export function scrub(text: string): string {
  let clean = text;
  for (const form of hidden) {
    if (clean.includes(form)) clean = clean.replaceAll(form, '[secret]');
  }
  for (const [shape, replacement] of SHAPES) clean = clean.replace(shape, replacement);
  return clean;
}
