import { findSecrets, hideRanges, secretPatterns, type SecretPatterns } from '@turnpike/telemetry';

/**
 * The text without these values, in each form that `findSecrets` knows, and a credential also without its scheme
 * (`Bearer x`). Of a truncated text, a value of which only the beginning is left at the end is hidden too.
 */
export function hideSecrets(text: string, values: readonly string[], isTruncated: boolean): string {
  return hideRanges(text, findSecrets(text, patternsOf(values), isTruncated));
}

/** The same for texts that are read one after another: a secret that is divided among them is found too. */
export function hideSecretsAcross(texts: readonly string[], values: readonly string[]): string[] {
  const found = findSecrets(texts.join(''), patternsOf(values));
  let start = 0;
  return texts.map((text) => {
    const from = start;
    start += text.length;
    const inside = found.flatMap(([one, other]): [number, number][] => {
      const [begin, end] = [Math.max(one - from, 0), Math.min(other - from, text.length)];
      return begin < end ? [[begin, end]] : [];
    });
    return hideRanges(text, inside);
  });
}

function patternsOf(values: readonly string[]): SecretPatterns[] {
  const secrets = new Set(values.flatMap(withCredential).filter((value) => value !== ''));
  return [...secrets].map(secretPatterns);
}

/** A short credential would be found in ordinary words. */
function withCredential(value: string): string[] {
  const [, credential] = /^[A-Za-z][\w-]{0,30} +(\S.{5,})$/.exec(value) ?? [];
  return credential === undefined ? [value] : [value, credential];
}
