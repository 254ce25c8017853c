import {
  findSecrets,
  hideRanges,
  secretPatterns,
  SHORTEST_ENCODED,
  type SecretPatterns,
} from './find-secrets.ts';

const MOST_VALUES = 1_000;

/** Every known secret, the one used last at the end. */
const hidden = new Map<string, SecretPatterns>();
/** What the process itself works with, which no number of tenants' secrets may push out. */
const hiddenForGood = new Map<string, SecretPatterns>();
/** Of both, for every log line; null where one of them has changed since. */
let known: SecretPatterns[] | null = null;

/**
 * From now on this value is scrubbed from every log line of the process, in each form that `findSecrets` knows.
 * The newest thousand are known, and all of what is hidden `forGood`: for the few secrets of the process itself.
 * Shorter ones than six characters are not: they would hide parts of ordinary words.
 */
export function hideValue(value: string, forGood = false): void {
  if (value.length < SHORTEST_ENCODED) return;
  known = null;
  if (forGood) {
    hiddenForGood.set(value, secretPatterns(value));
    return;
  }
  const patterns = hidden.get(value) ?? secretPatterns(value);
  hidden.delete(value);
  hidden.set(value, patterns);
  for (const oldest of hidden.keys()) {
    if (hidden.size <= MOST_VALUES) break;
    hidden.delete(oldest);
  }
}

/** The text without this value in any of those forms, also where it is too short to be hidden everywhere. */
export function withoutValue(text: string, value: string): string {
  return hideRanges(text, findSecrets(text, [secretPatterns(value)]));
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
  if (text.length < SHORTEST_ENCODED) return text;
  known ??= [...hiddenForGood.values(), ...hidden.values()];
  let clean = hideRanges(text, findSecrets(text, known));
  if (!HINT_OF_SHAPE.test(clean)) return clean;
  for (const [shape, replacement] of SHAPES) clean = clean.replace(shape, replacement);
  return clean;
}
