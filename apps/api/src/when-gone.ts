import type { Response } from 'express';

/** Made once: without a reason, each abort makes an error with a stack. */
const CLOSED = new Error('The client has disconnected.');

/** Aborts when the client has disconnected before its response was complete. */
export function whenGone(response: Response): AbortSignal {
  const gone = new AbortController();
  // It may have disconnected while it was authenticated.
  if (response.destroyed) gone.abort(CLOSED);
  else response.once('close', () => gone.abort(CLOSED));
  return gone.signal;
}
