import { findSecrets, hideRanges, secretPatterns } from '@turnpike/telemetry';

/**
 * The text without these values, in each form that `findSecrets` knows, and a credential also without its scheme
 * (`Bearer x`). Where the text was cut, a value of which only the beginning is left at its end is hidden too.
 */
export function hideSecrets(text: string, values: readonly string[], cut: boolean): string {
  const secrets = new Set(values.flatMap(withCredential).filter((value) => value !== ''));
  return hideRanges(text, findSecrets(text, [...secrets].map(secretPatterns), cut));
}

/** A credential that is too short would be hidden in ordinary words. */
function withCredential(value: string): string[] {
  const [, credential] = /^[A-Za-z][\w-]{0,30} +(\S.{5,})$/.exec(value) ?? [];
  return credential === undefined ? [value] : [value, credential];
}
