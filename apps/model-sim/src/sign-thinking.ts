import { createHash } from 'node:crypto';

/**
 * The signature of a thinking block. It is made from the text alone, so that a changed
 * block is refused as the real API refuses it, whichever simulator signed it.
 */
export function signThinking(thinking: string): string {
  return createHash('sha256').update(`turnpike-simulation:${thinking}`).digest('base64');
}
