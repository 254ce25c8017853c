import { secretForms } from './secret-forms.ts';

/** Shorter ones would hide parts of ordinary words. */
const SHORTEST = 6;
const MOST_VALUES = 10_000;

/** Every form of every known secret, newest last. */
const hidden = new Set<string>();
/** Forms of what the process itself works with, which no number of tenants' secrets may push out. */
const hiddenForGood = new Set<string>();

/**
 * From now on this value is scrubbed from every log line of the process, raw and in the forms in
 * which it travels. The newest ten thousand forms are known, and all of what
 * is hidden `forGood`: for the few secrets of the process itself.
 */
export function hideValue(value: string, forGood = false): void {
  if (value.length < SHORTEST) return;
  const forms = secretForms(value);
  if (forGood) {
    for (const form of forms) hiddenForGood.add(form);
    return;
  }
  for (const form of forms) {
    hidden.delete(form);
    hidden.add(form);
  }
  for (const oldest of hidden) {
    if (hidden.size <= MOST_VALUES) break;
    hidden.delete(oldest);
  }
}

/** The text without this value in any of those forms, also where it is too short to be hidden everywhere. */
export function withoutValue(text: string, value: string): string {
  return hide(text, value.length < SHORTEST ? [value] : secretForms(value));
}

/** Hides the password in a URL, where there is one, in whatever a client of that server says of it. */
export function hidePassword(url: string): void {
  const { password } = new URL(url);
  hideValue(password, true);
  hideValue(decodeURIComponent(password), true);
}

/** What is known to be a secret by its shape, whoever it belongs to. */
const SHAPES: [RegExp, string][] = [
  [/(?<![a-z])(?:sk-ant|tp_live|tp_dev|whsec)[-_][A-Za-z0-9_+/=-]{8,}/g, '[secret]'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [secret]'],
  // The scheme's length is bounded, or a long text without any would be searched anew from each letter.
  [/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/]*):[^\s@/]+@/gi, '$1:[secret]@'],
];

/** In whatever has one of the shapes: most texts have none, and are looked through once. */
const HINT_OF_SHAPE = /sk-ant|tp_live|tp_dev|whsec|bearer|basic|:\/\//i;

/** The text without any secret that is known by its value or by its shape. */
export function scrub(text: string): string {
  if (text.length < SHORTEST) return text;
  let clean = hide(text, hiddenForGood, hidden);
  if (!HINT_OF_SHAPE.test(clean)) return clean;
  for (const [shape, replacement] of SHAPES) clean = clean.replace(shape, replacement);
  return clean;
}

/** Every place is found before one is replaced: a secret may begin with, end in or hold another. */
function hide(text: string, ...known: Iterable<string>[]): string {
  const places: [number, number][] = [];
  for (const forms of known) {
    for (const form of forms) {
      for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
        places.push([at, at + form.length]);
      }
    }
  }
  if (places.length === 0) return text;
  let clean = '';
  let done = 0;
  for (const [from, to] of places.toSorted(([one], [other]) => one - other)) {
    if (from >= done) clean += `${text.slice(done, from)}[secret]`;
    done = Math.max(done, to);
  }
  return clean + text.slice(done);
}
