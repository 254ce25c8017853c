/** The deadline of one call. */
export interface CallLimit {
  /** Aborts at the deadline, or with the turn's signal. */
  signal: AbortSignal;
  /** Rejects as `signal` aborts. */
  ended: Promise<never>;
  /** True once the deadline passed. */
  expired(): boolean;
  /** Must be called when the call is over. */
  release(): void;
}

/**
 * Starts the deadline of one call. Not `AbortSignal.any` with `AbortSignal.timeout`: Node holds the timer of the one
 * and the sources of the other weakly, and one that was garbage-collected never aborts.
 */
export function limitCall(turnSignal: AbortSignal, deadlineMs: number): CallLimit {
  const controller = new AbortController();
  const { signal } = controller;
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    controller.abort(new DOMException('The deadline of the tool call passed.', 'TimeoutError'));
    // A call that nothing waits for, of a worker that a test let die, keeps no process from its end.
  }, deadlineMs).unref();
  const follow = (): void => controller.abort(turnSignal.reason);
  turnSignal.addEventListener('abort', follow);
  if (turnSignal.aborted) follow();
  return {
    signal,
    ended,
    expired: () => expired,
    release() {
      clearTimeout(timer);
      turnSignal.removeEventListener('abort', follow);
    },
  };
}
