import {
  findSecrets,
  hideRanges,
  secretPatterns,
  SHORTEST_ENCODED,
  type SecretPatterns,
} from './find-secrets.ts';

const MOST_VALUES = 1_000;

/** Every known secret, the last used one at the end. */
const hidden = new Map<string, SecretPatterns>();
/** Secrets of the process itself, which tenants' secrets never replace. */
const hiddenForGood = new Map<string, SecretPatterns>();
/** The patterns of both, for every log line; null after a change. */
let known: SecretPatterns[] | null = null;
/** Short texts without a secret, such as names of fields, ids and routes, which most lines have again. */
const harmless = new Set<string>();
const MOST_HARMLESS = 4_000;
const LONGEST_HARMLESS = 100;

/**
 * From now on this value is scrubbed from every log line of the process, in each form that `findSecrets` knows. The
 * newest thousand values are kept, and every one that is hidden `forGood`, for the few secrets of the process itself.
 * A value of less than six characters is ignored: it would match parts of ordinary words.
 */
export function hideValue(value: string, forGood = false): void {
  if (value.length < SHORTEST_ENCODED) return;
  known = null;
  if (!hidden.has(value) && !hiddenForGood.has(value)) harmless.clear();
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

/** The text without this value in any of those forms, also where the value is too short for `hideValue`. */
export function withoutValue(text: string, value: string): string {
  const patterns = hidden.get(value) ?? hiddenForGood.get(value) ?? secretPatterns(value);
  return hideRanges(text, findSecrets(text, [patterns]));
}

/** Hides the password in a URL, where there is one, in everything that is logged. */
export function hidePassword(url: string): void {
  const { password } = new URL(url);
  hideValue(password, true);
  hideValue(decodeURIComponent(password), true);
}

/** Shapes of secrets, whatever their value. */
const SHAPES: [RegExp, string][] = [
  [/(?<![a-z])(?:sk-ant|tp_live|tp_dev|whsec)[-_][A-Za-z0-9_+/=-]{8,}/g, '[secret]'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [secret]'],
  // The scheme's length is bounded: without a bound, a long text without a scheme would take quadratic time.
  [/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/]*):[^\s@/]+@/gi, '$1:[secret]@'],
];

/** Present in every text with one of the shapes: most texts have none, and are scanned only once. */
const MAY_HAVE_SHAPE = /sk-ant|tp_live|tp_dev|whsec|bearer|basic|:\/\//i;

/** The text without any secret, known by its value or its shape. */
export function scrub(text: string): string {
  if (text.length < SHORTEST_ENCODED || harmless.has(text)) return text;
  const clean = scrubNew(text);
  if (clean === text && text.length <= LONGEST_HARMLESS) {
    if (harmless.size >= MOST_HARMLESS) harmless.clear();
    harmless.add(text);
  }
  return clean;
}

function scrubNew(text: string): string {
  known ??= [...hiddenForGood.values(), ...hidden.values()];
  let clean = hideRanges(text, findSecrets(text, known));
  if (!MAY_HAVE_SHAPE.test(clean)) return clean;
  for (const [shape, replacement] of SHAPES) clean = clean.replace(shape, replacement);
  return clean;
}
