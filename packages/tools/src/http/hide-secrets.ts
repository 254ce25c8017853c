import { findSecrets, hideRanges, secretPatterns } from '@turnpike/telemetry';

/**
 * The text without these values, in each form that `findSecrets` knows, and a credential also without its scheme
 * (`Bearer x`). Of a truncated text, a value of which only the beginning is left at the end is hidden too.
 */
export function hideSecrets(text: string, values: readonly string[], isTruncated: boolean): string {
  const secrets = new Set(values.flatMap(withCredential).filter((value) => value !== ''));
  return hideRanges(text, findSecrets(text, [...secrets].map(secretPatterns), isTruncated));
}

/** A short credential would be found in ordinary words. */
function withCredential(value: string): string[] {
  const [, credential] = /^[A-Za-z][\w-]{0,30} +(\S.{5,})$/.exec(value) ?? [];
  return credential === undefined ? [value] : [value, credential];
}
