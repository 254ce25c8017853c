import type { Repairs } from './reconcile.ts';

/**
 * Runs passes one after another, `everyMs` apart with jitter, so that processes do not all run them at once.
 * Returns a function that stops it and waits for the pass under way.
 */
export function startReconciler(parts: {
  pass: () => Promise<Repairs>;
  everyMs: number;
  onRepairs: (repairs: Repairs) => void;
  onError: (error: unknown) => void;
}): () => Promise<void> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const run = async (): Promise<void> => {
    try {
      parts.onRepairs(await parts.pass());
    } catch (error) {
      parts.onError(error);
    }
    schedule();
  };
  const start = (): void => {
    running = run();
  };
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(start, parts.everyMs * (0.5 + Math.random()));
  };
  schedule();
  return () => {
    stopped = true;
    clearTimeout(timer);
    return running;
  };
}
