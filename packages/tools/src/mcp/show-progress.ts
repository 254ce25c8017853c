import type { ProgressCallback } from '@modelcontextprotocol/client';
import { storableText } from '@turnpike/contract';
import { hideSecrets } from '../http/hide-secrets.ts';

const EVERY_MS = 250;
const MOST_CHARACTERS = 500;

/** Shows what a server says of its progress, at most four times a second, bounded and without secrets. */
export function progressShower(
  show: (progress: string | number) => void,
  hidden: readonly string[],
): ProgressCallback {
  let shownAt = -Infinity;
  return ({ progress, total, message }) => {
    const now = performance.now();
    const share = total === undefined || !(total > 0) ? null : Math.min(1, Math.max(0, progress / total));
    // The last is shown in any case: nothing comes after it.
    if (now - shownAt < EVERY_MS && share !== 1) return;
    shownAt = now;
    if (message === undefined || message.trim() === '') show(share ?? String(progress));
    else {
      const text = hideSecrets(message.slice(0, MOST_CHARACTERS), hidden, message.length > MOST_CHARACTERS);
      show(storableText(text));
    }
  };
}
