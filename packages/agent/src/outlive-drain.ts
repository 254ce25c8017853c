import { DrainError } from '@turnpike/contract';

/**
 * A signal that follows another one, but for a drain. A worker that stops cuts off what the next one
 * can repeat; what may be sent only once is left to finish, since to cut it off would make its outcome
 * unknown for nothing. `release` is to be called when the call is over.
 */
export function outliveDrain(signal: AbortSignal): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const follow = (): void => {
    if (!(signal.reason instanceof DrainError)) controller.abort(signal.reason);
  };
  if (signal.aborted) follow();
  signal.addEventListener('abort', follow);
  return { signal: controller.signal, release: () => signal.removeEventListener('abort', follow) };
}
