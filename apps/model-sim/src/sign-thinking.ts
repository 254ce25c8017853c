import { createHash } from 'node:crypto';

/**
 * The signature of a thinking block. It is made from the model and the text alone, so that a changed block, and
 * another model's, is refused as the real API refuses it, whichever simulator signed it.
 */
export function signThinking(model: string, thinking: string): string {
  return `${digest(model)}.${digest(thinking)}`;
}

/** With `display: omitted` the text is left out while the signature stays: then only the model can be known by it. */
export function isSignedBy(model: string, thinking: string, signature: string): boolean {
  if (thinking !== '') return signature === signThinking(model, thinking);
  return signature.startsWith(`${digest(model)}.`);
}

function digest(text: string): string {
  return createHash('sha256').update(`turnpike-simulation:${text}`).digest('base64');
}
